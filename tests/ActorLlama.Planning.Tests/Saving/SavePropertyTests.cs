using System.Collections.Immutable;
using ActorLlama.Planning.Saving;
using ActorLlama.Protocol;
using FsCheck.Xunit;

namespace ActorLlama.Planning.Tests.Saving;

/// <summary>Random histories of saves.</summary>
public sealed class SavePropertyTests
{
    [Property(MaxTest = 100, EndSize = 80)]
    public void Whatever_happens_a_save_is_whole_or_leaves_nothing_and_every_one_ends(byte[] history)
    {
        var world = new World();
        foreach (var happening in history) world.Happen(happening % 10, happening / 10);
        // Nobody says anything any more.
        world.Settle();
        Assert.Empty(world.Folders);
        Assert.All(world.Ended, status => Assert.True(status.Phase == SavePhase.Saved ? status.Reason.Length == 0 : status.Reason.Length > 0));
        Assert.Equal(world.Begun, world.Ended.Select(status => status.Id));
        Assert.Equal(world.Committed, world.Ended.Where(status => status.Phase == SavePhase.Saved).Select(status => status.Id));
    }

    /// <summary>A disk and three nodes, of which each writes for the save it was last told of.</summary>
    private sealed class World
    {
        private readonly Dictionary<NodeId, (SaveProtocol.Write Write, long Written)> _writing = [];
        private readonly Queue<SaveEffect> _disk = [];
        private SaveState _state = SaveState.Idle();
        private long _nowMs, _epoch = 7;
        private int _asked;

        public HashSet<string> Folders { get; } = [];

        public List<SaveId> Begun { get; } = [];

        public List<SaveId> Committed { get; } = [];

        public List<ClusterProtocol.SaveStatus> Ended { get; } = [];

        public void Happen(int what, int which)
        {
            var node = SavePlans.Node(1 + which % 3);
            var current = new SaveId($"s{_asked}");
            switch (what)
            {
                case 0: Step(new SaveEvent.Requested(new(new($"s{++_asked}"), "/data/x", SaveRules.Layout), SavePlans.Status() with { Plan = SavePlans.Status().Plan with { Epoch = _epoch } })); break;
                case 1 or 2: DiskWork(fails: which == 0); break;
                case 3 or 4 or 5: Write(node); break;
                case 6 when which == 0: Step(new SaveEvent.NodeLost(node)); break;
                case 7 when which < 3: Step(new SaveEvent.Replanned(++_epoch, "of a whim")); break;
                case 8 when which == 0: Step(new SaveEvent.Cancelled(current)); break;
                default:
                    _nowMs += 100 * which;
                    Step(new SaveEvent.Tick());
                    break;
            }
        }

        public void Settle()
        {
            while (_disk.Count > 0) DiskWork(fails: false);
            for (var i = 0; i < 3; i++)
            {
                _nowMs += 20_000;
                Step(new SaveEvent.Tick());
                while (_disk.Count > 0) DiskWork(fails: false);
            }
        }

        private void DiskWork(bool fails)
        {
            if (!_disk.TryDequeue(out var work)) return;
            switch (work)
            {
                case SaveEffect.MakeFolder make when fails: Step(new SaveEvent.Failed(make.Save, "the disk is full")); break;
                case SaveEffect.MakeFolder make:
                    Assert.True(Folders.Add($"/data/{make.Save}"));
                    Step(new SaveEvent.FolderMade(make.Save, $"/data/{make.Save}", "n"));
                    break;
                case SaveEffect.Commit commit when fails: Step(new SaveEvent.Failed(commit.Save, "the disk is full")); break;
                case SaveEffect.Commit commit:
                    Assert.Equal(3, commit.Files.Length);
                    Assert.All(commit.Files, file => Assert.EndsWith(commit.Save.Value, file.Name, StringComparison.Ordinal));
                    Assert.True(Folders.Remove(commit.Folder));
                    Committed.Add(commit.Save);
                    Step(new SaveEvent.Committed(commit.Save));
                    break;
                default:
                    Assert.True(Folders.Remove(Assert.IsType<SaveEffect.RemoveFolder>(work).Folder));
                    break;
            }
        }

        private void Write(NodeId node)
        {
            if (!_writing.TryGetValue(node, out var writing)) return;
            var (write, total) = (writing.Write, writing.Write.Parts.Sum(part => part.WeightBytes));
            var written = Math.Min(total, writing.Written + 30);
            _writing[node] = (write, written);
            Step(new SaveEvent.Reported(new(
                write.Save, node, written, total,
                written == total ? ImmutableArray.Create(new SaveProtocol.File($"{node.Uid}-{write.Save}", total, "")) : null, null)));
        }

        private void Step(SaveEvent happened)
        {
            (_state, var effects) = SaveRules.Step(_state, happened, _nowMs);
            foreach (var effect in effects)
                switch (effect)
                {
                    case SaveEffect.Tell { Message: SaveProtocol.Write write } tell:
                        if (!_writing.TryGetValue(tell.Node, out var writing) || writing.Write.Save != write.Save) _writing[tell.Node] = (write, 0);
                        break;
                    case SaveEffect.Tell { Message: SaveProtocol.End end } tell:
                        if (_writing.TryGetValue(tell.Node, out var ending) && ending.Write.Save == end.Save) _writing.Remove(tell.Node);
                        break;
                    case SaveEffect.Ended ended: Ended.Add(ended.Status); break;
                    case SaveEffect.Refuse: break;
                    case SaveEffect.MakeFolder make:
                        Begun.Add(make.Save);
                        _disk.Enqueue(make);
                        break;
                    default: _disk.Enqueue(effect); break;
                }
        }
    }
}
