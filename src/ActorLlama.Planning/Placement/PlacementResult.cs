using System.Collections.Immutable;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Placement;

/// <summary>A plan, or why there is none.</summary>
public abstract record PlacementResult
{
    private PlacementResult()
    {
    }

    public sealed record Placed(PlacementPlan Plan) : PlacementResult;

    /// <summary>
    /// <paramref name="Reason"/>: one line that names the numbers and what to change. <paramref name="Needs"/>: what each device would have to
    /// hold in the most even arrangement; empty when the options themselves are wrong.
    /// </summary>
    public sealed record DoesNotFit(string Reason, ImmutableArray<DeviceNeed> Needs) : PlacementResult
    {
        /// <summary>Bytes by which the devices' needs exceed what they have.</summary>
        public long MissingBytes => Needs.Sum(n => Math.Max(0, n.NeededBytes - n.AvailableBytes));

        /// <summary>The reason and every device that would overflow, on one line.</summary>
        public string Describe()
        {
            var overflowing = Needs.Where(n => n.NeededBytes > n.AvailableBytes)
                .Select(n => $"\"{n.NodeName}\" {n.Device.Name} would need {n.NeededBytes} bytes and has {n.AvailableBytes}")
                .ToArray();
            return overflowing.Length == 0 ? Reason : $"{Reason} {string.Join("; ", overflowing)}.";
        }
    }
}

/// <summary>Bytes a device would have to hold, and bytes it has.</summary>
public sealed record DeviceNeed(DeviceId Device, string NodeName, long NeededBytes, long AvailableBytes);
