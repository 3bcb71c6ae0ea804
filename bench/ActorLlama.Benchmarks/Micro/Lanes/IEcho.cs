namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>Something that goes to another process and comes back.</summary>
internal interface IEcho : IAsyncDisposable
{
    /// <summary>That many round trips, one after the other.</summary>
    Task RoundTripsAsync(int count);
}
