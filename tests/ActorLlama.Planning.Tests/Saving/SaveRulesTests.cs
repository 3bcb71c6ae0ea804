using System.Collections.Immutable;
using ActorLlama.Planning.Saving;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Saving;

public sealed class SaveRulesTests
{
    private static readonly SaveId s_save = new("s1");

    private readonly List<SaveEffect> _effects = [];
    private SaveState _state = SaveState.Idle();
    private long _nowMs;

    [Fact]
    public void Every_weight_has_one_owner()
    {
        var parts = SaveParts.Of(SavePlans.Status().Plan);
        Assert.Equal(["stage-000", "stage-001", "experts-0000", "experts-0001", "experts-0002"], parts.Select(part => part.Name));
        Assert.Equal(["node-1", "node-2", "node-1", "node-2", "node-3"], parts.Select(part => SavePlans.NameOf(part.Device.Node)));
        Assert.Equal("stages 0, 1, expert shards 0, 1, 2", SaveParts.InWords(parts));
    }

    [Fact]
    public void A_save_makes_its_folder_has_all_owners_write_and_commits()
    {
        Step(Request());
        var make = Assert.IsType<SaveEffect.MakeFolder>(Assert.Single(_effects));
        Assert.Equal(("/data/x", 150L), (make.Target, make.Bytes));
        Made();
        var writes = _effects.Select(effect => Assert.IsType<SaveProtocol.Write>(Assert.IsType<SaveEffect.Tell>(effect).Message)).ToList();
        Assert.Equal(3, writes.Count);
        Assert.All(writes, write => Assert.Equal((7, "/data/.x", "n"), (write.PlanEpoch, write.Folder, write.Nonce)));
        Assert.Equal(["stage-001", "experts-0001"], writes[1].Parts.Select(part => part.Name));

        Step(Report(1, 10, 60, null));
        Assert.Equal(new ClusterProtocol.SaveStatus(s_save, SavePhase.Writing, 10, 150, ""), _state.StatusOf(s_save));
        Step(Report(1, 60, 60, "a"), Report(2, 60, 60, "b"));
        Assert.Empty(_effects);
        Step(Report(3, 30, 30, "c"));
        var commit = Assert.IsType<SaveEffect.Commit>(Assert.Single(_effects));
        Assert.Equal(["a", "b", "c"], commit.Files.Select(file => file.Name).Order());
        // Nobody is needed any more.
        Step(new SaveEvent.NodeLost(SavePlans.Node(2)), new SaveEvent.Replanned(8, "x"), new SaveEvent.Cancelled(s_save));
        Assert.Empty(_effects);
        Step(new SaveEvent.Committed(s_save));
        Assert.Equal(SavePhase.Saved, _state.StatusOf(s_save).Phase);
        Assert.Equal(3, _effects.Count(effect => effect is SaveEffect.Tell { Message: SaveProtocol.End }));
        Assert.DoesNotContain(_effects, effect => effect is SaveEffect.RemoveFolder);
    }

    [Fact]
    public void A_node_that_has_not_answered_is_asked_again()
    {
        Step(Request());
        Made();
        Step(Report(1, 0, 60, null));
        _nowMs += 500;
        Step(new SaveEvent.Tick());
        Assert.Equal([SavePlans.Node(2), SavePlans.Node(3)], _effects.Select(effect => Assert.IsType<SaveEffect.Tell>(effect).Node));
        Step(new SaveEvent.Tick());
        Assert.Empty(_effects);
    }

    public static TheoryData<string, string> Ends => new()
    {
        { "lost", "node \"node-2\", which writes stage 1, expert shard 1, was lost" },
        { "plan", "the plan changed meanwhile, because node \"node-4\" joined" },
        { "fault", "node \"node-3\", which writes expert shard 2, failed: the disk is full" },
        { "silence", "node \"node-2\", which writes stage 1, expert shard 1, has not been heard of for 10 s" },
        { "cancel", "it was cancelled" },
        { "commit", "no room for the index" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void Whatever_ends_a_save_early_leaves_nothing_and_says_what_it_was(string how, string reason)
    {
        Step(Request());
        Made();
        Step(Report(1, 60, 60, "a"));
        switch (how)
        {
            case "lost": Step(new SaveEvent.NodeLost(SavePlans.Node(2))); break;
            case "plan": Step(new SaveEvent.Replanned(8, "node \"node-4\" joined")); break;
            case "fault": Step(new SaveEvent.Reported(new(s_save, SavePlans.Node(3), 0, 30, null, "the disk is full"))); break;
            case "cancel": Step(new SaveEvent.Cancelled(s_save)); break;
            case "commit": Step(Report(2, 60, 60, "b"), Report(3, 30, 30, "c"), new SaveEvent.Failed(s_save, "no room for the index")); break;
            default:
                _nowMs = 9_999;
                Step(Report(1, 60, 60, "a"), Report(3, 1, 30, null), new SaveEvent.Tick());
                Assert.Equal(SavePhase.Writing, _state.StatusOf(s_save).Phase);
                _nowMs = 10_000;
                Step(new SaveEvent.Tick());
                break;
        }

        Assert.Equal(SavePhase.Failed, _state.StatusOf(s_save).Phase);
        Assert.Contains(reason, _state.StatusOf(s_save).Reason, StringComparison.Ordinal);
        Assert.Contains(new SaveEffect.RemoveFolder("/data/.x"), _effects);
        Assert.Equal(3, _effects.Count(effect => effect is SaveEffect.Tell { Message: SaveProtocol.End }));
        // A late report is told that it is over.
        Step(Report(1, 60, 60, "a"));
        Assert.Equal(new SaveEffect.Tell(SavePlans.Node(1), new SaveProtocol.End(s_save)), Assert.Single(_effects));
        // The next one may begin.
        Step(new SaveEvent.Requested(new(new("s2"), "/data/x", SaveRules.Layout), SavePlans.Status()));
        Assert.IsType<SaveEffect.MakeFolder>(Assert.Single(_effects));
    }

    [Fact]
    public void A_folder_that_comes_too_late_is_removed()
    {
        Step(Request(), new SaveEvent.Replanned(8, "x"));
        Assert.DoesNotContain(_effects, effect => effect is SaveEffect.Tell or SaveEffect.RemoveFolder);
        Made();
        Assert.Equal(new SaveEffect.RemoveFolder("/data/.x"), Assert.Single(_effects));
    }

    [Fact]
    public void A_save_that_is_asked_for_again_is_the_same()
    {
        Step(Request());
        Step(Request());
        Assert.Empty(_effects);
        Step(new SaveEvent.Failed(s_save, "no"));
        Step(Request());
        Assert.Empty(_effects);
        Assert.Equal("no", _state.StatusOf(s_save).Reason);
        Assert.Equal(SavePhase.Unknown, _state.StatusOf(new("other")).Phase);
    }

    [Theory]
    [InlineData("s2", "/data/y", "hf", ClusterState.Ready, "layout is \"hf\"")]
    [InlineData("s2", "data/y", "unscanned", ClusterState.Ready, "folder \"data/y\" is no full path")]
    [InlineData("../s", "/data/y", "unscanned", ClusterState.Ready, "its id is \"../s\"")]
    [InlineData("s2", "/data/y", "unscanned", ClusterState.Loading, "the cluster is Loading")]
    public void What_cannot_be_saved_is_refused(string id, string folder, string layout, ClusterState state, string reason)
    {
        Step(new SaveEvent.Requested(new(new(id), folder, layout), SavePlans.Status() with { State = state }));
        Assert.Contains(reason, Assert.IsType<SaveEffect.Refuse>(Assert.Single(_effects)).Reason, StringComparison.Ordinal);
        Assert.Equal(SavePhase.Unknown, _state.StatusOf(new(id)).Phase);
    }

    [Fact]
    public void One_save_at_a_time()
    {
        Step(Request());
        Step(new SaveEvent.Requested(new(new("s2"), "/data/y", SaveRules.Layout), SavePlans.Status()));
        Assert.Contains("another one, into \"/data/x\"", Assert.IsType<SaveEffect.Refuse>(Assert.Single(_effects)).Reason, StringComparison.Ordinal);
    }

    private static SaveEvent Request() => new SaveEvent.Requested(new(s_save, "/data/x", SaveRules.Layout), SavePlans.Status());

    private static SaveEvent Report(int node, long written, long total, string? file) => new SaveEvent.Reported(new(
        s_save, SavePlans.Node(node), written, total, file is null ? null : ImmutableArray.Create(new SaveProtocol.File(file, total, "")), null));

    private void Made() => Step(new SaveEvent.FolderMade(s_save, "/data/.x", "n"));

    private void Step(params SaveEvent[] events)
    {
        _effects.Clear();
        foreach (var happened in events)
        {
            (_state, var effects) = SaveRules.Step(_state, happened, _nowMs);
            _effects.AddRange(effects);
        }
    }
}
