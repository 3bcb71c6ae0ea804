using System.Collections.Immutable;
using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Saving;

/// <summary>Between a node's saver, its devices and the owners of weights on them. Never leaves the node.</summary>
internal static class PartProtocol
{
    /// <summary>
    /// To a device, which hands it to the owner: write this part of what you hold into the shared folder. Answered by <see cref="Progress"/>, then by
    /// <see cref="Written"/> or <see cref="Failed"/>.
    /// </summary>
    public sealed record Write(SaveProtocol.Part Part, string Folder, string Nonce, CancellationToken Stop) : INoSerializationVerificationNeeded;

    public sealed record Progress(string Folder, SaveProtocol.Part Part, long WrittenBytes, long TotalBytes) : INoSerializationVerificationNeeded;

    public sealed record Written(string Folder, SaveProtocol.Part Part, ImmutableArray<SaveProtocol.File> Files) : INoSerializationVerificationNeeded;

    public sealed record Failed(string Folder, SaveProtocol.Part Part, string Reason) : INoSerializationVerificationNeeded;
}
