using ActorLlama.Model;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>The most tokens a second that a machine can reach: weights are read once a step, multiplied once a row.</summary>
/// <param name="Config">The model; its weights lie in bfloat16.</param>
/// <param name="GigabytesPerSecond">What the machine reads.</param>
/// <param name="GigaflopsPerSecond">What it multiplies and adds, two operations each.</param>
internal sealed record Ceiling(LlamaConfig Config, double GigabytesPerSecond, double GigaflopsPerSecond)
{
    /// <summary>One step of so many sequences with weights of so many bytes: whichever of reading and computing takes longer.</summary>
    public double Decode(int sequences, double bytesPerWeight) => sequences / Math.Max(Read(sequences, bytesPerWeight), Compute(sequences, withHead: true));

    /// <summary>A prompt in one go, logits of its last position only.</summary>
    public double Prefill(int tokens) => tokens / Math.Max(Read(tokens, 2), Compute(tokens, withHead: false));

    private double Read(int rows, double bytesPerWeight)
    {
        // Of E experts, uniformly chosen, that share is met by some row.
        var met = 1 - Math.Pow(1 - (double)Config.ExpertsPerToken / Config.Experts, rows);
        var weights = ParameterTable.Of(Config).Parameters.Where(p => p.Group != ParameterGroup.Embedding)
            .Sum(p => p.Elements * (p.Group == ParameterGroup.Experts ? met : 1));
        return weights * bytesPerWeight / (GigabytesPerSecond * 1e9);
    }

    private double Compute(int rows, bool withHead)
    {
        var weights = ParameterTable.Of(Config).Parameters
            .Where(p => p.Group != ParameterGroup.Embedding && (withHead || p.Group != ParameterGroup.Head))
            .Sum(p => p.Group == ParameterGroup.Experts ? p.Elements * (double)Config.ExpertsPerToken / Config.Experts : p.Elements);
        return 2 * weights * rows / (GigaflopsPerSecond * 1e9);
    }
}
