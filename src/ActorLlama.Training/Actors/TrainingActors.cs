using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Training.Actors;

/// <summary>Training as a node's host adds it: a coordinator beside the supervisor, and on each device an owner of what a run's plan gives to it.</summary>
public sealed class TrainingActors : NodeTraining
{
    internal override Props Coordinator(NodeContext node) => TrainingCoordinator.Props(node);

    internal override Props Host(NodeContext node, NodeDevice device) => TrainingHost.Props(node, device);
}
