namespace ActorLlama.Planning.Placement;

/// <summary>
/// What a plan is asked for. A null number is chosen by the planner, a given one is honoured or refused.
/// <paramref name="Stages"/>: per pipeline. <paramref name="Replicas"/>: of each expert shard. <paramref name="KvPositions"/>: KV room in
/// positions per pipeline, over all its sequences, that must fit beside the weights. <paramref name="KvSequences"/>: sequences that share
/// this room; a chunked layer reserves no more than one chunk for each of them.
/// </summary>
public sealed record PlanOptions(
    int Pipelines = 1,
    int? Stages = null,
    int? ExpertShards = null,
    int Replicas = 1,
    int KvPositions = 16_384,
    int KvSequences = 16);
