using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;
using Akka.Actor;

namespace ActorLlama.Runtime.Stages;

/// <summary>What a stage sends: on to the next stage, and back to the scheduler.</summary>
internal sealed class StageLinks(NodeContext node, NodeDevice device, StagePlacement placement, IActorRef self)
{
    private const int ProgressMs = 500;

    /// <summary>The stage that comes next in this epoch of the pipeline, or null when it is not known.</summary>
    public LaneTarget? Next(long epoch) => node.Board.Routes.Stages.FirstOrDefault(s =>
        s.PlanEpoch == epoch && s.Placement.Pipeline == placement.Pipeline && s.Placement.Index == placement.Index + 1)?.Stage;

    public void SendOn(LaneTarget next, ILaneMessage message, Payload? payload) => node.Lane.Send(next, LaneClass.Request, message, payload, null, self);

    public void Ran(StageProtocol.Run message, BatchOutput output) =>
        Answer(message, new StageProtocol.Ran(message.Batch, output.Ids, output.LogProbs), output.Logits);

    public void Failed(StageProtocol.Run message, RefusalReason reason, string why)
    {
        var where = $"Stage {placement.Index} of pipeline {placement.Pipeline} on {device.Options.Name} of {node.Options.Name}";
        Answer(message, new StageProtocol.Failed(message.Batch, reason, $"{where}: {why}"), null);
    }

    /// <summary>The batch goes on, or waits for experts that are at work; told no more than twice a second.</summary>
    public void Progress(BatchRun run)
    {
        var now = node.NowMs;
        if (now - run.ToldMs < ProgressMs) return;
        run.ToldMs = now;
        Answer(run.Message, new StageProtocol.Progress(run.Message.Batch), null);
    }

    private void Answer(StageProtocol.Run message, ILaneMessage answer, Payload? payload) =>
        node.Lane.Send(message.Scheduler, LaneClass.Response, answer, payload, null, self);
}
