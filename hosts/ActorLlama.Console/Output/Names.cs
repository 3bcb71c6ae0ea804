using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>How enumerated values are spelled in output.</summary>
internal static class Names
{
    public static string Of(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => "cancelled",
        FinishReason.Expired => "expired",
        _ => "failed",
    };
}
