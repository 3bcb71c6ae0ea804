using ActorLlama.Protocol;
using ActorLlama.Runtime.Lanes;
using Akka.Actor;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>Sends a request, waits for its answer, sends the next.</summary>
internal sealed class LaneClient(Lane lane, LaneTarget server, int bytes)
{
    private static readonly ExpertProtocol.Run s_request = new(new CallId(new BatchId(1, 1, 0, 0), 0, 0, 0), 1, [0]);
    private Go? _go;
    private int _left;

    public IActorRef Ref { get; set; } = ActorRefs.Nobody;

    public LaneTarget Self { get; set; }

    public void Receive(object message)
    {
        switch (message)
        {
            case Go go:
                (_go, _left) = (go, go.Count);
                Next();
                break;
            case LaneEnvelope { Message: ExpertProtocol.Ran, Payload: { } payload }:
                payload.Dispose();
                Next();
                break;
            default:
                _go!.Done.SetException(new IOException($"Lane echo: {message}"));
                break;
        }
    }

    private void Next()
    {
        if (_left-- == 0) _go!.Done.SetResult();
        else lane.Send(server, LaneClass.Request, s_request, BytesPayload.Rent(bytes), Self, Ref);
    }

    internal sealed record Go(int Count) : INoSerializationVerificationNeeded
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>Answers with the request's own payload.</summary>
internal sealed class LaneServer(Lane lane)
{
    public void Receive(object message)
    {
        if (message is not LaneEnvelope { Message: ExpertProtocol.Run run, Payload: BytesPayload rows, ReplyTo: { } replyTo })
            throw new IOException($"Lane echo: {message}");
        lane.Send(replyTo, LaneClass.Response, new ExpertProtocol.Ran(run.Call), rows, null, ActorRefs.NoSender);
    }
}
