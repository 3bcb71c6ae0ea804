using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace ActorLlama.Cli;

/// <summary>
/// Answers as lines of JSON, in the order in which they came; each names the line of its prompt. A line is whole or not there: the end of one
/// that was torn when a run was killed is cut off when the file is opened. For one process at a time.
/// </summary>
internal sealed class AnswerFile : IDisposable
{
    private readonly FileStream _file;

    private AnswerFile(FileStream file, ImmutableHashSet<int> answered) => (_file, Answered) = (file, answered);

    /// <summary>Lines of the prompts that were answered when the file was opened.</summary>
    public ImmutableHashSet<int> Answered { get; }

    /// <summary>
    /// Opens or makes the file. Throws <see cref="InvalidDataException"/> when it holds anything but answers to these prompts, and
    /// <see cref="IOException"/> when it cannot be written or another process has it open.
    /// </summary>
    public static AnswerFile Open(string path, ImmutableArray<FilePrompt> prompts)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            var whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
            var expected = prompts.ToDictionary(prompt => prompt.Number, prompt => prompt.Text);
            var answered = Encoding.UTF8.GetString(bytes.AsSpan(0, whole)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select((line, index) => Line(line, expected) ?? throw new InvalidDataException(
                    $"Answers: line {index + 1} of \"{path}\" is no answer to one of these prompts. Name another file with --out, or the prompts it was made from."));
            ImmutableHashSet<int> numbers = [.. answered];
            file.SetLength(whole);
            file.Seek(0, SeekOrigin.End);
            return new AnswerFile(file, numbers);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds one line; when this returns the operating system has it.</summary>
    public void Add(object answer)
    {
        _file.Write([.. JsonLine.Bytes(answer), (byte)'\n']);
        _file.Flush();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The prompt's line that this one answers, or null.</summary>
    private static int? Line(string text, Dictionary<int, string> expected)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("line", out var line) && line.ValueKind == JsonValueKind.Number && line.TryGetInt32(out var number)
                && json.RootElement.TryGetProperty("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.String
                && expected.GetValueOrDefault(number) == prompt.GetString()
                ? number
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
