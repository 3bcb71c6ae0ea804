namespace ActorLlama.Model;

/// <summary>What an MoE layer's experts start from: the normed rows for the shared expert, and the routing with the scaled rows.</summary>
public sealed record MoeInput(Activation Normed, Routing Routing) : IDisposable
{
    public void Dispose()
    {
        Normed.Dispose();
        Routing.Dispose();
    }
}
