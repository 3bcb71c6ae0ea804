using ActorLlama.Protocol;

namespace ActorLlama.Planning.Routing;

/// <summary>
/// A loaded replica of an expert shard, which holds <paramref name="Experts"/> experts from <paramref name="FirstExpert"/> on; <paramref name="Epoch"/> goes into the calls to it.
/// <paramref name="Device"/> tells whether it is at work.
/// </summary>
public readonly record struct Route(int Shard, int Replica, LaneTarget Target, long Epoch, LaneTarget? Device, int FirstExpert, int Experts)
{
    /// <summary>Whether it holds the experts of all rows. Not so where one plan divides the experts otherwise than another.</summary>
    public bool Holds(ShardGroup group)
    {
        foreach (var expert in group.Experts)
            if (expert < FirstExpert || expert >= FirstExpert + Experts) return false;
        return true;
    }
}
