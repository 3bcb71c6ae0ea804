using System.Collections.Immutable;

namespace ActorLlama.Planning.Training;

/// <summary>Items shared out evenly among owners, moving as few as that allows.</summary>
internal static class Sharing
{
    /// <summary>Nobody's item.</summary>
    public const int Nobody = -1;

    /// <summary>
    /// The owner of each item. <paramref name="before"/>: its owner until now, or <see cref="Nobody"/>. No owner has two more than another. <paramref name="inRuns"/>: an owner
    /// gets free items that follow each other; else they are dealt in turn.
    /// </summary>
    public static ImmutableArray<int> Of(ImmutableArray<int> before, ImmutableArray<int> owners, bool inRuns)
    {
        var held = owners.ToDictionary(owner => owner, owner => before.Count(b => b == owner));
        var (least, more) = (before.Length / owners.Length, before.Length % owners.Length);
        var quota = owners.OrderByDescending(owner => held[owner]).ThenBy(owner => owner)
            .Select((owner, rank) => (owner, Items: rank < more ? least + 1 : least)).ToDictionary(q => q.owner, q => q.Items);
        var after = before.ToArray();
        for (var item = after.Length - 1; item >= 0; item--)
            if (after[item] != Nobody && held[after[item]] > quota[after[item]])
            {
                held[after[item]]--;
                after[item] = Nobody;
            }

        var room = owners.Order().Select(owner => (Owner: owner, Items: quota[owner] - held[owner])).ToList();
        for (var item = 0; item < after.Length; item++)
        {
            if (after[item] != Nobody) continue;
            var taker = inRuns ? room.FindIndex(r => r.Items > 0) : room.IndexOf(room.MaxBy(r => r.Items));
            after[item] = room[taker].Owner;
            room[taker] = (room[taker].Owner, room[taker].Items - 1);
        }

        return [.. after];
    }
}
