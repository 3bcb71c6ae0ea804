namespace ActorLlama.Model;

/// <summary>
/// Weights by canonical name (spec 3.3, <see cref="ParameterNames"/>). Whoever opens a source disposes it after every weight
/// loaded from it: a backend may read weights in place.
/// </summary>
public interface ITensorSource : IDisposable
{
    /// <summary>The tensor of that canonical name. Throws <see cref="KeyNotFoundException"/> naming it when absent.</summary>
    StoredTensor Get(string canonicalName);

    /// <summary>
    /// As <see cref="Get(string)"/>, by a caller that reads entries [first, first + count) of the first axis and no others: a source that has to
    /// put the tensor together may leave the rest out.
    /// </summary>
    StoredTensor Get(string canonicalName, int first, int count) => Get(canonicalName);
}
