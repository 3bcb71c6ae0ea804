namespace ActorLlama.Training.Reports;

/// <summary>What all lines of a run have in common.</summary>
/// <param name="RunName">The run.</param>
/// <param name="Parameters">Parameters of the model.</param>
/// <param name="Flops">Of a step, on a device.</param>
/// <param name="TokensPerDevice">Tokens of a step, on a device: length, per-device batch and microbatches multiplied.</param>
/// <param name="Experts">Experts of an MoE layer.</param>
public sealed record RunFigures(string RunName, long Parameters, StepFlops Flops, double TokensPerDevice, int Experts)
{
    public bool HasExperts => Experts > 1;
}
