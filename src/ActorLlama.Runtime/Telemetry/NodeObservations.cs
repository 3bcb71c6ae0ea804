using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Runtime.Lanes;
using ActorLlama.Runtime.Nodes;

namespace ActorLlama.Runtime.Telemetry;

/// <summary>Figures that a node has anyway, read when somebody asks: the lane, its schedulers, KV, sessions, the plan.</summary>
internal static class NodeObservations
{
    public static void Register(Meter meter, NodeContext node, ImmutableArray<NodeDevice> devices)
    {
        RegisterLane(meter, node.Lane);
        RegisterSchedulers(meter, node.Gauges);
        meter.CreateObservableUpDownCounter("actorllama.session.active", () => node.Gauges.Sessions, "{session}", "Sessions that this node holds");
        meter.CreateObservableUpDownCounter("actorllama.kv.usage", () => devices.Sum(d => d.Backend.KvBytes), "By", "KV cache that this node's devices hold");
        meter.CreateObservableUpDownCounter("actorllama.payload.live", () => Payload.Live, "{payload}", "Payloads that nobody has opened or disposed yet");
        meter.CreateObservableUpDownCounter("actorllama.activation.live", () => Activation.Live, "{activation}", "Activations that are in use");
        meter.CreateObservableCounter(
            "actorllama.device.time", () => (Measurement<double>[])[Of(node.Gauges.StageMicros / 1e6, "stage"), Of(node.Gauges.ExpertMicros / 1e6, "expert")], "s",
            "Time that devices' threads were at work, by for whom");
        meter.CreateObservableGauge("actorllama.plan.epoch", () => node.Board.Plan.Epoch, "{epoch}", "The plan that this node has");
        meter.CreateObservableGauge(
            "actorllama.cluster.state", () => Enum.GetValues<ClusterState>().Select(s => new Measurement<int>(
                node.Board.Routes.State == s ? 1 : 0, new KeyValuePair<string, object?>("actorllama.state", s.ToString()))), "1", "1 for the state that the cluster is in, as this node knows it");

        static Measurement<double> Of(double seconds, string role) => new(seconds, new KeyValuePair<string, object?>("actorllama.role", role));
    }

    private static void RegisterLane(Meter meter, Lane lane)
    {
        meter.CreateObservableCounter(
            "actorllama.lane.io", () => ByClass(lane, c => c.BytesSent, c => c.BytesReceived), "By", "Bytes of lane messages, heartbeats left out");
        meter.CreateObservableCounter(
            "actorllama.lane.messages", () => ByClass(lane, c => c.MessagesSent, c => c.MessagesReceived), "{message}", "Messages over lanes");
        meter.CreateObservableUpDownCounter("actorllama.lane.connections", () => lane.Statistics.Connections, "{connection}", "Connections with other nodes");
        meter.CreateObservableUpDownCounter("actorllama.lane.queue.messages", () => lane.Statistics.QueuedMessages, "{message}", "Messages that wait for credit or for the socket");
        meter.CreateObservableUpDownCounter("actorllama.lane.queue.size", () => lane.Statistics.QueuedBytes, "By", "Payloads of messages that wait");
        meter.CreateObservableUpDownCounter("actorllama.lane.credits", () => lane.Statistics.CreditsOutstanding, "{message}", "Messages whose credit has not come back");
        meter.CreateObservableUpDownCounter("actorllama.lane.unanswered", () => lane.Statistics.UnansweredRequests, "{request}", "Requests without an answer yet");
        meter.CreateObservableCounter("actorllama.lane.failures", () => lane.Statistics.FailedMessages, "{message}", "Messages that were not delivered");
        meter.CreateObservableCounter("actorllama.lane.broken", () => lane.Statistics.BrokenConnections, "{connection}", "Connections ended for what came over them");
        meter.CreateObservableCounter("actorllama.lane.refused", () => lane.Statistics.RefusedHandshakes, "{handshake}", "Peers that were told why they are refused");
    }

    private static void RegisterSchedulers(Meter meter, NodeGauges gauges)
    {
        meter.CreateObservableUpDownCounter(
            "actorllama.scheduler.sequences", () => ByPipeline(gauges, "actorllama.state", l => [("running", l.Running), ("waiting", l.Waiting)]), "{sequence}", "Sequences of the pipelines whose scheduler is here");
        meter.CreateObservableUpDownCounter(
            "actorllama.scheduler.batches", () => ByPipeline(gauges, "actorllama.state", l => [("running", l.BatchesInFlight)]), "{batch}", "Batches on their way through stages");
        meter.CreateObservableUpDownCounter(
            "actorllama.kv.blocks", () => ByPipeline(gauges, "actorllama.kv.kind", l => [("whole", l.Whole.Used), ("chunked", l.Chunked.Used)]), "{block}", "KV blocks in use, of layers that keep all positions and of those that keep a chunk");
        meter.CreateObservableUpDownCounter(
            "actorllama.kv.blocks.limit", () => ByPipeline(gauges, "actorllama.kv.kind", l => [("whole", l.Whole.Total), ("chunked", l.Chunked.Total)]), "{block}", "KV blocks that there are");
        meter.CreateObservableCounter(
            "actorllama.scheduler.refusals", () => ByPipeline(gauges, "actorllama.reason", l => [("busy", l.Busy)]), "{session}", "Sessions that were told that too many wait");
        meter.CreateObservableCounter(
            "actorllama.scheduler.preemptions", () => ByPipeline(gauges, "actorllama.reason", l => [("kv", l.Preemptions)]), "{sequence}", "Running sequences that KV was taken from");
    }

    private static IEnumerable<Measurement<long>> ByClass(Lane lane, Func<LaneTraffic, long> sent, Func<LaneTraffic, long> received)
    {
        foreach (var traffic in lane.Statistics.Classes)
        {
            var laneClass = new KeyValuePair<string, object?>("actorllama.lane.class", traffic.Class.ToString());
            yield return new(sent(traffic), laneClass, new KeyValuePair<string, object?>("network.io.direction", "transmit"));
            yield return new(received(traffic), laneClass, new KeyValuePair<string, object?>("network.io.direction", "receive"));
        }
    }

    private static IEnumerable<Measurement<long>> ByPipeline(NodeGauges gauges, string tag, Func<NodeProtocol.PipelineLoad, (string Value, long Count)[]> counts) =>
        from load in gauges.Pipelines
        from count in counts(load)
        select new Measurement<long>(
            count.Count, new KeyValuePair<string, object?>("actorllama.pipeline", load.Pipeline), new KeyValuePair<string, object?>(tag, count.Value));
}
