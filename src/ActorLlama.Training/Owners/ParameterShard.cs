using System.Collections.Immutable;
using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// An owner's share of the parameters on one device, with gradients and optimizer state: ranges of trunk parameters (ZeRO-3), or the experts of a shard. For the device's
/// thread, but for reading <see cref="Bytes"/>.
/// </summary>
public sealed class ParameterShard : IDisposable
{
    private readonly ImmutableArray<OwnedRange> _ranges;
    private readonly ILookup<string, OwnedRange> _byName;

    private ParameterShard(ImmutableArray<OwnedRange> ranges)
    {
        _ranges = ranges;
        _byName = ranges.ToLookup(range => range.Range.Parameter.Name);
    }

    /// <summary>Names of the parameters it has a range of, in canonical order.</summary>
    public IEnumerable<string> Names => _byName.Select(of => of.Key);

    /// <summary>Bytes of weights, moments and gradients.</summary>
    public long Bytes => _ranges.Sum(range => range.Bytes);

    internal IEnumerable<OwnedRange> Ranges => _ranges;

    /// <summary>Reads the ranges. Faults of the source pass through; nothing is kept then.</summary>
    /// <param name="ranges">In canonical order, ascending within a parameter.</param>
    /// <param name="weightType">Type of weights and moments.</param>
    /// <param name="device">"cpu", "cuda:0".</param>
    /// <param name="weights">A parameter's elements by canonical name.</param>
    /// <param name="moments">Those of its moments; null: zeros.</param>
    public static ParameterShard Load(
        IEnumerable<ParameterRange> ranges, ElementType weightType, string device, Func<string, TensorData> weights,
        Func<string, (TensorData Mean, TensorData Variance)>? moments = null)
    {
        var (type, at) = (TorchTensors.TypeOf(weightType), TorchTensors.Find(device));
        var loaded = ImmutableArray.CreateBuilder<OwnedRange>();
        try
        {
            foreach (var range in ranges)
                loaded.Add(new OwnedRange(range, type, at, weights(range.Parameter.Name), moments?.Invoke(range.Parameter.Name)));
            return new ParameterShard(loaded.ToImmutable());
        }
        catch
        {
            foreach (var range in loaded) range.Dispose();
            throw;
        }
    }

    /// <summary>The flat elements it holds of a parameter, ascending, as they are; they stay its own.</summary>
    public IEnumerable<(ParameterRange Range, Tensor Weight)> Find(string name) => _byName[name].Select(range => (range.Range, range.Weight));

    /// <summary>Adds its part of a slot's gradient of a whole parameter, by the head or another segment. Callers come in slot order, or the sum's bits are another's.</summary>
    public void Add(string name, Tensor gradient, bool isHead)
    {
        using var scope = NewDisposeScope();
        foreach (var range in _byName[name]) range.SumOf(isHead).PlusInPlace(gradient.view(-1).narrow(0, range.Range.Start, range.Range.Elements));
    }

    /// <summary>What it holds of these parameters, one behind the other, in the order named: flat, of that type, the caller's.</summary>
    public Tensor Flat(IEnumerable<Parameter> parameters, ScalarType type)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var parts = parameters.SelectMany(parameter => _byName[parameter.Name]).Select(range => range.Weight.dtype == type ? range.Weight.alias() : range.Weight.to(type)).ToList();
        return (parts.Count == 0 ? empty(0, type) : cat(parts)).DetachFromDisposeScope();
    }

    /// <summary>Adds a slot's gradients of what <see cref="Flat"/> gives, the head's or another segment's. Callers come in slot order.</summary>
    public void AddFlat(IEnumerable<Parameter> parameters, Tensor flat, bool isHead)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var at = 0L;
        foreach (var range in parameters.SelectMany(parameter => _byName[parameter.Name]))
        {
            range.SumOf(isHead).PlusInPlace(flat.narrow(0, at, range.Range.Elements));
            at += range.Range.Elements;
        }
    }

    /// <summary>Forgets the step's gradients.</summary>
    public void ClearGradients()
    {
        foreach (var range in _ranges) range.ClearGradient();
    }

    /// <summary>Sums of squares of its gradients by chunk, once all are added, and the first parameter whose gradient is not finite, if any.</summary>
    public (IReadOnlyDictionary<int, double> Squares, string? NotFinite) GradientSquares(NormChunks chunks)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var range in _ranges) range.Join();
        return Squares(chunks, range => range.Gradient);
    }

    /// <summary>Sums of squares of its weights by chunk.</summary>
    public IReadOnlyDictionary<int, double> WeightSquares(NormChunks chunks) => Squares(chunks, range => range.Weight).Sums;

    /// <summary>One AdamW update; the gradients stay.</summary>
    /// <param name="settings">Constants.</param>
    /// <param name="number">Number of the update, from 1.</param>
    /// <param name="learningRate">Its rate.</param>
    /// <param name="factor">What the summed gradients are multiplied by.</param>
    public void Apply(AdamSettings settings, long number, double learningRate, double factor)
    {
        foreach (var range in _ranges)
            AdamW.Apply(
                range.Weight, range.Mean, range.Variance, range.Gradient,
                new AdamUpdate(settings, number, learningRate, settings.DecayOf(range.Range.Parameter.Name), factor));
    }

    public void Dispose()
    {
        foreach (var range in _ranges) range.Dispose();
    }

    /// <summary>The one range it holds of a parameter: experts of a shard.</summary>
    internal OwnedRange Own(string name) => _byName[name].Single();

    private (IReadOnlyDictionary<int, double> Sums, string? NotFinite) Squares(NormChunks chunks, Func<OwnedRange, Tensor> of)
    {
        var sums = new SortedDictionary<int, double>();
        string? notFinite = null;
        foreach (var range in _ranges)
        {
            var values = new FixedSum.Values(of(range));
            foreach (var (chunk, start, elements) in chunks.Of(range.Range.Parameter))
            {
                if (start < range.Range.Start || start + elements > range.Range.End) continue;
                var squares = values.OfSquares(start - range.Range.Start, elements);
                if (!double.IsFinite(squares)) notFinite ??= range.Range.Parameter.Name;
                sums[chunk] = sums.GetValueOrDefault(chunk) + squares;
            }
        }
        return (sums, notFinite);
    }
}
