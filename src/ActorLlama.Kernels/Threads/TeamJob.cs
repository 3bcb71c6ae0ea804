namespace ActorLlama.Kernels;

/// <summary>Work for a <see cref="ThreadTeam"/>: Body(unit, thread) for each unit below <paramref name="Units"/>.</summary>
public readonly record struct TeamJob(int Units, Action<int, int> Body);
