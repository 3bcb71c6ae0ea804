using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace ActorLlama.Training;

/// <summary>AdamW's constants under MaxText's names and with its defaults (spec 7.1).</summary>
/// <param name="B1">Decay of the mean of gradients.</param>
/// <param name="B2">Decay of the mean of their squares.</param>
/// <param name="Eps">Added to the root.</param>
/// <param name="EpsRoot">Added under the root.</param>
/// <param name="WeightDecay">Part of a weight that is taken off it, times the learning rate.</param>
public sealed record AdamSettings(double B1 = 0.9, double B2 = 0.95, double Eps = 1e-8, double EpsRoot = 0, double WeightDecay = 0.1)
{
    /// <summary>Regular expressions: parameters whose canonical name one of them matches do not decay. None: all decay, norms too.</summary>
    public ImmutableArray<string> WithoutDecay { get; init; } = [];

    /// <summary>The weight decay of a parameter.</summary>
    public double DecayOf(string parameter) =>
        WithoutDecay.Any(pattern => Regex.IsMatch(parameter, pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1))) ? 0 : WeightDecay;
}
