using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>What moves, and who waits for it, in words.</summary>
internal static class MovesText
{
    public static IEnumerable<string> Of(ImmutableArray<ClusterProtocol.Move> moves) => moves.Select(move => $"{move.Part} to {move.To}, {ByteText.Of(move.Bytes)}");

    public static string Waiting(ImmutableArray<ClusterProtocol.Move> moves, ImmutableArray<int> pauses) =>
        moves.IsEmpty ? "nothing has to move"
        : pauses.IsEmpty ? "all of it is loaded before it takes over; sessions whose stages move are computed anew there, once"
        : $"there is no room to load first: sessions of pipeline {string.Join(", ", pauses)} wait while their stages load";
}
