using System.Diagnostics;
using ActorLlama.Model;
using ActorLlama.Protocol;
using Akka.Actor;

namespace ActorLlama.Runtime.Stages;

/// <summary>Between a stage and its router, on one device's thread. A message that is never received is disposed as a dead letter.</summary>
internal static class RouterProtocol
{
    /// <summary>Have these rows computed by their experts. Answered by <see cref="Dispatched"/>, then by <see cref="Gathered"/>, <see cref="Lost"/> or <see cref="RanOut"/>. The routing's rows change owner.</summary>
    public sealed record Dispatch(BatchId Batch, int Layer, Routing Routing, ActivityContext? Span = null) : INoSerializationVerificationNeeded, IDisposable
    {
        public void Dispose() => Routing.Dispose();
    }

    /// <summary>All rows have been sent that can be.</summary>
    public sealed record Dispatched(BatchId Batch, int Layer) : INoSerializationVerificationNeeded;

    /// <summary>All rows, in assignment order [T·k, D]; the receiver owns them.</summary>
    public sealed record Gathered(BatchId Batch, int Layer, Activation Rows) : INoSerializationVerificationNeeded, IDisposable
    {
        public void Dispose() => Rows.Dispose();
    }

    /// <summary>The call cannot be answered in time; the batch is lost.</summary>
    public sealed record Lost(BatchId Batch, int Layer, RefusalReason Reason, string Message) : INoSerializationVerificationNeeded;

    /// <summary>There was too little memory for the rows on their way to the experts, or back; the batch is lost.</summary>
    public sealed record RanOut(BatchId Batch, string Why) : INoSerializationVerificationNeeded;

    /// <summary>The batch waits for devices that are at work.</summary>
    public sealed record Alive(BatchId Batch) : INoSerializationVerificationNeeded;

    /// <summary>Drop what is outstanding for batches of earlier pipeline epochs, or for this one.</summary>
    public sealed record Forget(BatchId? Batch) : INoSerializationVerificationNeeded;
}
