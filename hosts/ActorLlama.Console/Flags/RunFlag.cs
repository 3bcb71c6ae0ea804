using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>One of MaxText's flags (<c>key=value</c>), as this program knows it.</summary>
/// <param name="Name">MaxText's name.</param>
/// <param name="Kind">What its value is.</param>
/// <param name="Default">Its value when it is not given, as it would be written.</param>
/// <param name="Use">The verbs in which it means something; elsewhere it is accepted, checked and told of as without effect.</param>
/// <param name="Meaning">What it does here.</param>
internal sealed record RunFlag(string Name, FlagKind Kind, string Default, FlagUse Use, string Meaning)
{
    /// <summary>The only values of a text; empty: any.</summary>
    public ImmutableArray<string> Values { get; init; } = [];
}

internal enum FlagKind
{
    Words = 0,
    Whole = 1,
    Number = 2,
    Truth = 3,
}

[Flags]
internal enum FlagUse
{
    None = 0,
    Decode = 1,
    Train = 2,
}
