using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>
/// Which device owns what of a run. The same whatever order devices come in; with a plan before it, only what a lost device had and what a new one gets for balance moves.
/// </summary>
public static class TrainingPlanRules
{
    /// <param name="shape">The model.</param>
    /// <param name="devices">All there are now. Roles: trunk pieces and slots go where the trunk may, expert shards where experts may.</param>
    /// <param name="options">Checked against the devices of the run's first plan only.</param>
    /// <param name="previous">The run's plan until now; null: it begins.</param>
    /// <param name="id">Of the new plan.</param>
    public static TrainingPlanResult Plan(
        TrainedShape shape, ImmutableArray<PlannedDevice> devices, TrainingPlanOptions options, TrainingPlan? previous, TrainingPlanId id)
    {
        ImmutableArray<PlannedDevice> sorted =
            [.. devices.OrderBy(d => d.Id.Node.Address, StringComparer.Ordinal).ThenBy(d => d.Id.Node.Uid).ThenBy(d => d.Id.Name, StringComparer.Ordinal)];
        if (RefusalOfRoles(shape, sorted) is { } noRole) return new TrainingPlanResult.Refused(noRole, []);
        ImmutableArray<DeviceId> ids = [.. sorted.Select(device => device.Id)];
        ImmutableArray<int> trunk = [.. Indices(sorted, device => device.Trunk)];
        ImmutableArray<int> experts = [.. Indices(sorted, device => device.Experts)];
        ImmutableArray<int> pieces, shards, slots;
        if (previous is null)
        {
            var (shardCount, slotCount, fault) = CountsOf(shape, sorted.Length, experts.Length, options);
            if (fault is not null) return new TrainingPlanResult.Refused(fault, []);
            (pieces, shards, slots) = (Free(options.Pieces), Free(shardCount), Free(slotCount));
        }
        else
        {
            pieces = Kept(previous.Pieces, trunk);
            shards = Kept(previous.ExpertShards, experts);
            slots = Kept(previous.Slots, trunk);
        }

        if (trunk.Length > pieces.Length)
            return new TrainingPlanResult.Refused(
                $"Training plan: {trunk.Length} devices may hold the trunk, which is in {pieces.Length} pieces. Use fewer devices or more pieces.", []);
        var plan = new TrainingPlan(
            id, ids, Sharing.Of(pieces, trunk, inRuns: true),
            shards.IsEmpty ? [] : Sharing.Of(shards, experts, inRuns: true), Sharing.Of(slots, trunk, inRuns: false));
        ImmutableArray<TrainingBytes> bytes = [.. ids.Select(device => TrainingBytes.Of(shape, plan, options, device))];
        return bytes.Zip(sorted).Any(b => b.First.Total > b.Second.MemoryBytes) ? RefusalOfMemory(shape, sorted, bytes) : new TrainingPlanResult.Planned(plan, bytes);

        ImmutableArray<int> Kept(ImmutableArray<int> owners, ImmutableArray<int> able) =>
            [.. owners.Select(owner => ids.IndexOf(previous!.Devices[owner]) is var now && able.Contains(now) ? now : Sharing.Nobody)];
    }

    /// <summary>Pieces, shards and slots whose owner is another one in the next plan, each with both; an owner before that is gone has lost what it held.</summary>
    public static ImmutableArray<TrainingMove> Moves(TrainingPlan previous, TrainingPlan next)
    {
        return [.. Of(TrainingPart.Piece, p => p.Pieces), .. Of(TrainingPart.ExpertShard, p => p.ExpertShards), .. Of(TrainingPart.Slot, p => p.Slots)];

        IEnumerable<TrainingMove> Of(TrainingPart part, Func<TrainingPlan, ImmutableArray<int>> owners) =>
            owners(previous).Zip(owners(next)).Select((pair, index) => new TrainingMove(part, index, previous.Devices[pair.First], next.Devices[pair.Second]))
                .Where(move => move.From != move.To);
    }

    private static ImmutableArray<int> Free(int count) => [.. Enumerable.Repeat(Sharing.Nobody, count)];

    private static IEnumerable<int> Indices(ImmutableArray<PlannedDevice> devices, Func<PlannedDevice, bool> may) =>
        Enumerable.Range(0, devices.Length).Where(index => may(devices[index]));

    private static string? RefusalOfRoles(TrainedShape shape, ImmutableArray<PlannedDevice> devices) =>
        devices.IsEmpty ? "Training plan: there is no device. Start nodes with devices."
        : !devices.Any(device => device.Trunk) ? "Training plan: no device may hold the trunk. Give a node the role \"trunk\"."
        : shape.Experts > 0 && !devices.Any(device => device.Experts) ? "Training plan: no device may hold experts. Give a node the role \"experts\"."
        : null;

    private static (int Shards, int Slots, string? Fault) CountsOf(TrainedShape shape, int devices, int expertDevices, TrainingPlanOptions options)
    {
        if (AxesFault(options, devices, out var expertAxis) is { } axes) return (0, 0, axes);
        if (options.Pieces < 1) return (0, 0, $"Training plan: pieces is {options.Pieces}; at least 1 is needed. Change pieces.");
        if (options.GradientAccumulationSteps < 1)
            return (0, 0, $"Training plan: gradient_accumulation_steps is {options.GradientAccumulationSteps}; at least 1 is needed. Change gradient_accumulation_steps.");
        var (slots, fault) = options.SlotsOn(devices);
        if (fault is not null) return (0, 0, fault);
        if (shape.Experts == 0)
            return options.ExpertShards is > 0 || expertAxis > 1
                ? (0, 0, $"Training plan: experts are to be sharded, but \"{shape.Model.Name}\" has no routed experts. Leave expert shards and ici_expert_parallelism out.")
                : (0, slots, null);
        var shards = options.ExpertShards ?? (expertAxis > 1 ? expertAxis : Math.Min(shape.Experts, expertDevices));
        return shards < 1 || shards > shape.Experts
            ? (0, 0, $"Training plan: expert shards is {shards}, and \"{shape.Model.Name}\" has {shape.Experts} experts; from 1 to as many shards are possible. Change expert shards or ici_expert_parallelism.")
            : (shards, slots, null);
    }

    /// <summary>The two axes span the devices; one of them may be left open.</summary>
    private static string? AxesFault(TrainingPlanOptions options, int devices, out int expertAxis)
    {
        var (fsdp, experts) = (options.IciFsdpParallelism, options.IciExpertParallelism);
        expertAxis = experts;
        if ((fsdp < 1 && fsdp != -1) || (experts < 1 && experts != -1))
            return $"Training plan: ici_fsdp_parallelism is {fsdp} and ici_expert_parallelism is {experts}; each is at least 1, or -1 for what the other leaves. Change them.";
        if (fsdp == -1 && experts == -1)
            return "Training plan: ici_fsdp_parallelism and ici_expert_parallelism are both -1; only one can be what the other leaves. Change one.";
        if (experts == -1) expertAxis = devices / fsdp;
        if (fsdp == -1) fsdp = devices / experts;
        return fsdp * expertAxis == devices
            ? null
            : $"Training plan: ici_fsdp_parallelism is {options.IciFsdpParallelism} and ici_expert_parallelism is {experts}, which does not span {devices} devices. "
                + "Change one of them, or leave one at -1, or use other devices.";
    }

    private static TrainingPlanResult.Refused RefusalOfMemory(TrainedShape shape, ImmutableArray<PlannedDevice> devices, ImmutableArray<TrainingBytes> bytes)
    {
        ImmutableArray<DeviceNeed> needs = [.. devices.Zip(bytes).Select(d => new DeviceNeed(d.First.Id, d.First.NodeName, d.Second.Total, d.First.MemoryBytes))];
        var missing = needs.Sum(need => Math.Max(0, need.NeededBytes - need.AvailableBytes));
        var worst = needs.MaxBy(need => need.NeededBytes - need.AvailableBytes)!;
        return new TrainingPlanResult.Refused(
            $"Training plan: \"{shape.Model.Name}\" does not fit on {devices.Length} devices: {ByteText.Of(missing)} ({missing} bytes) are missing. "
            + $"\"{worst.NodeName}\" {worst.Device.Name} would need {ByteText.Of(worst.NeededBytes)} and has {ByteText.Of(worst.AvailableBytes)}. "
            + "Add devices, or lower max_target_length, or choose a smaller weight_dtype.",
            needs);
    }
}
