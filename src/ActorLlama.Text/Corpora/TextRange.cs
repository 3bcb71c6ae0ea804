namespace ActorLlama.Text;

/// <summary>Part of a file of text: bytes [<paramref name="Start"/>, <paramref name="End"/>), which begin and end between characters.</summary>
/// <param name="Path">The file: UTF-8, or JSON lines with a "text" each where it ends in <c>.jsonl</c>.</param>
/// <param name="Start">First byte.</param>
/// <param name="End">Byte behind the last.</param>
public sealed record TextRange(string Path, long Start, long End)
{
    public long Bytes => End - Start;

    /// <summary>True when each line is a document of its own; otherwise the range is one document.</summary>
    public bool IsJsonLines => Path.EndsWith(TextCorpus.JsonLines, StringComparison.OrdinalIgnoreCase);
}
