namespace ActorLlama.Model;

/// <summary>
/// Weights by canonical name (spec 3.3, <see cref="ParameterNames"/>). Whoever opens a source disposes it after every weight
/// loaded from it: a backend may read weights in place.
/// </summary>
public interface ITensorSource : IDisposable
{
    /// <summary>The tensor of that canonical name; reads no element. Throws <see cref="KeyNotFoundException"/> naming it when absent.</summary>
    StoredTensor Get(string canonicalName);
}
