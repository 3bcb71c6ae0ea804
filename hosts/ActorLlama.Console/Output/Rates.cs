using ActorLlama.Client;

namespace ActorLlama.Cli;

/// <summary>Figures of a finished generation.</summary>
internal static class Rates
{
    /// <summary>Tokens after the first, over the time after the first; 0 for fewer than two.</summary>
    public static double TokensPerSecond(GenerationResult result)
    {
        var seconds = (result.Timings.TotalMs - result.Timings.FirstTokenMs) / 1000;
        return result.Tokens.Length > 1 && seconds > 0 ? (result.Tokens.Length - 1) / seconds : 0;
    }
}
