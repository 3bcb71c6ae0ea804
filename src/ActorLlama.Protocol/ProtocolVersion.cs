namespace ActorLlama.Protocol;

/// <summary>Version of all messages and of the lane's framing. Nodes of other versions are refused.</summary>
public static class ProtocolVersion
{
    public const int Current = 1;
}
