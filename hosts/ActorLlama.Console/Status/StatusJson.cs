using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>A cluster's status as plain values.</summary>
internal static class StatusJson
{
    public static object Of(ClusterProtocol.Status status) => new
    {
        state = status.State.ToString(),
        reason = status.Reason,
        plan_epoch = status.Plan.Epoch,
        expert_shards = status.Plan.ExpertShards,
        supervisor = status.Supervisor.Address,
        nodes = status.Nodes.Select(node => new
        {
            name = node.Name,
            address = node.Node.Address,
            roles = node.Roles,
            drained = node.IsLeaving,
            devices = node.Devices.Select(d => new { name = d.Name, memory_bytes = d.MemoryBytes }),
            plan_epoch = node.PlanEpoch,
            stages = node.Stages.Select(s => new
            {
                pipeline = s.Placement.Pipeline,
                index = s.Placement.Index,
                first_layer = s.Placement.FirstLayer,
                layers = s.Placement.Layers,
                device = s.Placement.Device.Name,
                loaded = s.Stage is not null,
                bytes = s.LoadedBytes,
                of_bytes = s.Placement.WeightBytes,
                fault = s.Fault,
            }),
            shards = node.Shards.Select(s => new
            {
                shard = s.Placement.Shard,
                replica = s.Placement.Replica,
                first_expert = s.Placement.FirstExpert,
                experts = s.Placement.Experts,
                device = s.Placement.Device.Name,
                loaded = s.Expert is not null,
                bytes = s.LoadedBytes,
                of_bytes = s.Placement.WeightBytes,
                rows_computed = s.RowsComputed,
                fault = s.Fault,
            }),
            lane_bytes_sent = node.Counters.LaneBytesSent,
            lane_bytes_received = node.Counters.LaneBytesReceived,
            kv_bytes = node.Counters.KvBytes,
            sessions = node.Counters.Sessions,
            working_set_bytes = node.Counters.WorkingSetBytes,
            private_bytes = node.Counters.PrivateBytes,
            managed_bytes = node.Counters.ManagedBytes,
            handles = node.Counters.Handles,
            stage_ms = node.Counters.StageMicros / 1000,
            expert_ms = node.Counters.ExpertMicros / 1000,
        }),
    };
}
