using ActorLlama.Checkpoints;
using ActorLlama.Protocol;
using Spectre.Console;

namespace ActorLlama.Cli.Tests.Status;

/// <summary>What a person sees of a cluster that loads.</summary>
public sealed class LoadingTests
{
    private static readonly NodeId s_node = new("akka.tcp://actorllama@127.0.0.1:4053", 1);
    private static readonly StagePlacement s_stage = new(0, 0, 0, 8, new DeviceId(s_node, "cpu:0"), 3 << 20, 0);
    private static readonly ShardPlacement s_shard = new(0, 0, 0, 4, new DeviceId(s_node, "cpu:0"), 5 << 20, 1);

    private readonly List<(string Phase, WriteProgress Done)> _told = [];
    private readonly Clock _clock = new();

    [Fact]
    public void The_table_tells_bytes_of_bytes_while_a_node_loads()
    {
        var loading = Text(StatusWith(3 << 20, 1536 << 10, ClusterState.Loading));
        Assert.Contains("4.5 MiB", loading);
        Assert.Contains("of 8.0 MiB", loading);
        var loaded = Text(StatusWith(3 << 20, 5 << 20, ClusterState.Ready));
        Assert.DoesNotContain(" of ", loaded);
        Assert.Contains("8.0 MiB", loaded);
    }

    [Fact]
    public void Loading_is_told_once_it_takes_longer_than_a_moment()
    {
        var report = new LoadingReport((phase, done) => _told.Add((phase, done)), _clock);
        report.Note(StatusWith(0, 0, ClusterState.Forming));
        report.Note(StatusWith(1 << 20, 0, ClusterState.Loading));
        Assert.Empty(_told);
        _clock.Now += TimeSpan.FromSeconds(2);
        report.Note(StatusWith(3 << 20, 1 << 20, ClusterState.Loading));
        report.Note(StatusWith(3 << 20, 5 << 20, ClusterState.Ready));
        report.Note(StatusWith(3 << 20, 5 << 20, ClusterState.Ready));
        Assert.Equal([("loading", new WriteProgress(4 << 20, 8 << 20)), ("loading", new WriteProgress(8 << 20, 8 << 20))], _told);
    }

    [Fact]
    public void What_is_loaded_in_a_moment_is_not_told_at_all()
    {
        var report = new LoadingReport((phase, done) => _told.Add((phase, done)), _clock);
        report.Note(StatusWith(0, 0, ClusterState.Loading));
        _clock.Now += TimeSpan.FromSeconds(0.9);
        report.Note(StatusWith(3 << 20, 5 << 20, ClusterState.Ready));
        Assert.Empty(_told);
    }

    private static ClusterProtocol.Status StatusWith(long stageBytes, long shardBytes, ClusterState state)
    {
        LaneTarget? target = state == ClusterState.Ready ? new LaneTarget(s_node, "/user/x", 1) : null;
        var offer = new NodeProtocol.Offer(
            s_node, "node-1", [], [new NodeProtocol.DeviceOffer("cpu:0", 1 << 30)], new LaneEndpoint("127.0.0.1", 1), new NodeProtocol.ModelIdentity(1, "", ""),
            new ModelShape("m", 8, 8, 8, 4, 1, 0, 0, 0, 4, []), 1,
            [new NodeProtocol.HeldStage(1, s_stage, target, target, stageBytes, null)],
            [new NodeProtocol.HeldShard(1, s_shard, target, shardBytes, 0, null)],
            new NodeProtocol.NodeCounters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), [], []);
        return new ClusterProtocol.Status(state, "", new PlacementPlan(1, [s_stage], [s_shard], 1, [1]), [offer], s_node);
    }

    private static string Text(ClusterProtocol.Status status)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No });
        console.Profile.Width = 200;
        console.Write(StatusTable.Of(status));
        return text.ToString();
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
