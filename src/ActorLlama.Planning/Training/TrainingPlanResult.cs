using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>A plan, or why there is none.</summary>
public abstract record TrainingPlanResult
{
    private TrainingPlanResult()
    {
    }

    /// <summary><paramref name="Bytes"/>: of each device of the plan.</summary>
    public sealed record Planned(TrainingPlan Plan, ImmutableArray<TrainingBytes> Bytes) : TrainingPlanResult;

    /// <summary>
    /// <paramref name="Reason"/>: one line that names the numbers and what to change. <paramref name="Needs"/>: what each device would have to hold; empty when the options
    /// themselves are wrong.
    /// </summary>
    public sealed record Refused(string Reason, ImmutableArray<DeviceNeed> Needs) : TrainingPlanResult
    {
        /// <summary>Bytes by which the devices' needs exceed what they have.</summary>
        public long MissingBytes => Needs.Sum(need => Math.Max(0, need.NeededBytes - need.AvailableBytes));
    }
}
