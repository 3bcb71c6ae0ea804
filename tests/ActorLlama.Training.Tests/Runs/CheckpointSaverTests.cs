using System.Collections.Immutable;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.TestKit;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Tests.Runs;

public sealed class CheckpointSaverTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private RunFolder Run => new(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_checkpoint_holds_what_was_when_it_was_saved_whatever_the_run_does_meanwhile(bool isAsync)
    {
        var live = new Live();
        using (var saver = new CheckpointSaver(Run, isAsync))
        {
            foreach (var step in (long[])[0, 1, 2])
            {
                live.Value = (byte)(10 + step);
                saver.Save(live.State(step));
                live.Value = 99;
            }
            saver.Finish();
        }
        foreach (var step in (long[])[0, 1, 2])
        {
            using var optimizer = OptimizerState.Open(Run.CheckpointOf(step));
            var bytes = new byte[8];
            optimizer.Get("mu.x").Read(0, bytes);
            Assert.All(bytes, value => Assert.Equal(10 + step, value));
            using var checkpoint = CheckpointDirectory.Open(Run.CheckpointOf(step));
            checkpoint.Get(ParameterNames.Embed).Read(0, bytes);
            Assert.All(bytes, value => Assert.Equal(10 + step, value));
        }
    }

    [Fact]
    public void A_write_that_failed_in_the_background_fails_the_next_call()
    {
        var live = new Live();
        using var saver = new CheckpointSaver(Run, isAsync: true);
        saver.Save(live.State(0));
        saver.Save(live.State(0));
        Assert.Contains("is written into a new or empty folder", Assert.Throws<InvalidDataException>(saver.Finish).Message, StringComparison.Ordinal);
        saver.Finish();
    }

    /// <summary>A model whose elements all have the same bytes, which change.</summary>
    private sealed class Live
    {
        private static readonly string s_config = File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "config", "models", "tiny-maverick.json"));

        public byte Value { get; set; }

        public TrainedState State(long step) => new()
        {
            ConfigJson = s_config,
            Step = step,
            Weights = [.. ParameterTable.Of(LlamaConfigReader.Read(s_config).Config).Parameters.Select(parameter => new Filled(parameter.Name, parameter.Shape, this))],
            Optimizer = [new Filled("mu.x", [4], this)],
        };

        private sealed class Filled(string name, ImmutableArray<long> shape, Live live) : TensorData(name, ElementType.BFloat16, shape)
        {
            public override void Read(long offset, Span<byte> bytes) => bytes.Fill(live.Value);
        }
    }
}
