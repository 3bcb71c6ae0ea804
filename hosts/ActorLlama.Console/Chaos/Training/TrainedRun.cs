using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Cli;

/// <summary>What a run says of itself in its folder, to be compared with another's.</summary>
internal sealed class TrainedRun(string folder)
{
    private string Metrics => Path.Combine(folder, "metrics.jsonl");

    /// <summary>Steps that it has told of, again and again those that were made again.</summary>
    public int Told => File.Exists(Metrics) ? Lines().Length : 0;

    /// <summary>What differs from the undisturbed run, one sentence each: what was learned in any step, however often it was made, or what was saved after the last.</summary>
    public IEnumerable<string> DifferencesFrom(TrainedRun undisturbed, int steps)
    {
        var expected = undisturbed.Learned().ToDictionary();
        var learned = Learned();
        foreach (var missing in expected.Keys.Except(learned.Select(told => told.Of))) yield return $"{missing} was not made";
        foreach (var (of, what) in learned.Where(told => told.What != expected.GetValueOrDefault(told.Of))) yield return $"{of} was {expected.GetValueOrDefault(of)}, and is {what}";
        foreach (var file in Directory.EnumerateFiles(undisturbed.Saved(steps), "*.safetensors").Select(path => Path.GetFileName(path)!))
            if (Path.Combine(Saved(steps), file) is var mine && (!File.Exists(mine) || !File.ReadAllBytes(mine).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(undisturbed.Saved(steps), file)))))
                yield return $"{file} after step {steps - 1} differs";
    }

    /// <summary>Of each step and each evaluation, in the order told.</summary>
    public ImmutableArray<(string Of, string What)> Learned() => File.Exists(Metrics) ? [.. Lines().Select(Parse)] : [];

    private string Saved(int steps) => Path.Combine(folder, "checkpoints", $"{steps - 1}", "items");

    /// <summary>Whole lines.</summary>
    private string[] Lines()
    {
        using var reader = new StreamReader(new FileStream(Metrics, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd() is var text && text.LastIndexOf('\n') is >= 0 and var end ? [.. text[..end].Split('\n').Where(line => line.Length > 0)] : [];
    }

    private static (string Of, string What) Parse(string line)
    {
        using var json = JsonDocument.Parse(line);
        var told = json.RootElement.EnumerateObject().Where(entry => entry.Name.Split('/')[0] is "learning" or "eval").ToList();
        var isEvaluation = told.Any(entry => entry.Name.StartsWith("eval/", StringComparison.Ordinal));
        return ($"{(isEvaluation ? "evaluation after step" : "step")} {json.RootElement.GetProperty("step").GetInt64()}", string.Join(' ', told.Select(entry => $"{entry.Name}={entry.Value}")));
    }
}
