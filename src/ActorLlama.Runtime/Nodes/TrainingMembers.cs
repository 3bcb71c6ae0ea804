using System.Collections.Immutable;
using ActorLlama.Planning.Placement;
using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Nodes;

/// <summary>From the supervisor to the coordinator of runs, at every change: the devices of all members, and who hosts training on each.</summary>
internal sealed record TrainingMembers(
    ImmutableArray<PlannedDevice> Devices, ImmutableDictionary<DeviceId, ActorSelection> Hosts) : INoSerializationVerificationNeeded;
