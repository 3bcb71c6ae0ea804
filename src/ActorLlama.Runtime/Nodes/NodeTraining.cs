using ActorLlama.Runtime.Devices;
using Akka.Actor;

namespace ActorLlama.Runtime.Nodes;

/// <summary>What training adds to a node's actors; given by the host, so that the runtime knows nothing of training.</summary>
public abstract class NodeTraining
{
    /// <summary>The child of the supervisor that coordinates runs. It hears <see cref="TrainingMembers"/> and every <c>RunProtocol</c> message.</summary>
    internal abstract Props Coordinator(NodeContext node);

    /// <summary>The child of a device, called <see cref="HostName"/>, on the default dispatcher, that makes owners for runs.</summary>
    internal abstract Props Host(NodeContext node, NodeDevice device);

    internal const string HostName = "training";
}
