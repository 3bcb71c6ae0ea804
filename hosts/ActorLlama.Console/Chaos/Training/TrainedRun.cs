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
        var expected = undisturbed.Learned().ToDictionary(step => step.Step, step => step.What);
        var learned = Learned();
        for (var step = 0; step < steps; step++)
            if (learned.All(told => told.Step != step))
                yield return $"step {step} was not made";
        foreach (var (step, what) in learned.Where(told => told.What != expected.GetValueOrDefault(told.Step)))
            yield return $"step {step} was {expected.GetValueOrDefault(step)}, and is {what}";
        foreach (var file in Directory.EnumerateFiles(undisturbed.Saved(steps), "*.safetensors").Select(path => Path.GetFileName(path)!))
            if (Path.Combine(Saved(steps), file) is var mine && (!File.Exists(mine) || !File.ReadAllBytes(mine).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(undisturbed.Saved(steps), file)))))
                yield return $"{file} after step {steps - 1} differs";
    }

    public ImmutableArray<(long Step, string What)> Learned() => File.Exists(Metrics) ? [.. Lines().Select(Parse)] : [];

    private string Saved(int steps) => Path.Combine(folder, "checkpoints", $"{steps - 1}", "items");

    /// <summary>Whole lines.</summary>
    private string[] Lines()
    {
        using var reader = new StreamReader(new FileStream(Metrics, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd() is var text && text.LastIndexOf('\n') is >= 0 and var end ? [.. text[..end].Split('\n').Where(line => line.Length > 0)] : [];
    }

    private static (long Step, string What) Parse(string line)
    {
        using var json = JsonDocument.Parse(line);
        return (json.RootElement.GetProperty("step").GetInt64(), string.Join(
            ' ', json.RootElement.EnumerateObject().Where(entry => entry.Name.StartsWith("learning/", StringComparison.Ordinal)).Select(entry => $"{entry.Name}={entry.Value}")));
    }
}
