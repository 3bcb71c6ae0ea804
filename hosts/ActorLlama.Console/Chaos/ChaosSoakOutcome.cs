using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>What came of a long run.</summary>
/// <param name="Lasted">How long it was.</param>
/// <param name="Faults">The faults, in order.</param>
/// <param name="Samples">What the first node held at rest, without weights.</param>
/// <param name="Answers">Sessions that ended.</param>
/// <param name="Tokens">Their tokens.</param>
/// <param name="Broken">What did not hold, in words.</param>
internal sealed record ChaosSoakOutcome(
    TimeSpan Lasted, ImmutableArray<ChaosSoakFault> Faults, ImmutableArray<MemorySample> Samples, long Answers, long Tokens, ImmutableArray<string> Broken)
{
    private const int MostRows = 12;

    /// <summary>A report in Markdown.</summary>
    public void Write(TextWriter to)
    {
        to.WriteLine();
        to.WriteLine($"{Lasted.TotalMinutes:0} minutes, {Faults.Length} faults, {Answers} answers, {Tokens} tokens");
        to.WriteLine();
        to.WriteLine("| fault | times | sessions that ran | pause: median | maximum |");
        to.WriteLine("|---|---|---|---|---|");
        foreach (var deed in Faults.GroupBy(f => f.Do).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var pauses = deed.Select(f => f.Pause.TotalSeconds).Order().ToArray();
            to.WriteLine($"| {deed.Key} | {pauses.Length} | {deed.Min(f => f.InPhase)} or more | {pauses[pauses.Length / 2]:0.00} s | {pauses[^1]:0.00} s |");
        }

        to.WriteLine();
        to.WriteLine("| at rest after s | managed MiB | private MiB, without weights | handles | tensors, payloads, KV bytes | waiting |");
        to.WriteLine("|---|---|---|---|---|---|");
        var every = Math.Max(1, (Samples.Length + MostRows - 1) / MostRows);
        foreach (var s in Samples.Where((_, i) => (Samples.Length - 1 - i) % every == 0))
            to.WriteLine($"| {s.At} | {s.ManagedBytes >> 20} | {s.PrivateBytes >> 20} | {s.Handles} | {s.Activations + s.Payloads}, {s.KvBytes} | {s.Waiting} |");
        to.WriteLine();
        foreach (var broken in Broken) to.WriteLine($"BROKEN {broken}");
        to.WriteLine(Broken.IsEmpty ? "Every invariant held, and memory is flat." : $"{Broken.Length} invariants were broken.");
    }

    public object ToJson() => new
    {
        held = Broken.IsEmpty,
        seconds = Math.Round(Lasted.TotalSeconds),
        answers = Answers,
        tokens = Tokens,
        broken = Broken,
        faults = Faults.Select(f => new { s = Math.Round(f.At.TotalSeconds, 1), @do = f.Do, node = f.Node, held = f.Held, sessions = f.InPhase, pause_ms = Math.Round(f.Pause.TotalMilliseconds) }),
        samples = Samples.Select(s => new
        {
            s = s.At,
            activations = s.Activations,
            payloads = s.Payloads,
            kv_bytes = s.KvBytes,
            waiting = s.Waiting,
            handles = s.Handles,
            managed_bytes = s.ManagedBytes,
            private_bytes_without_weights = s.PrivateBytes,
        }),
    };
}
