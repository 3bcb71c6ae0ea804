using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Kv;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Runtime.Stages;
using ActorLlama.TestKit;

namespace ActorLlama.Runtime.Tests.Stages;

/// <summary>The sample model in two stages with their KV caches, run by a scheduler's effects: everything of a pipeline but actors and network.</summary>
internal sealed class LocalPipeline : IDisposable
{
    private readonly Checkpoint _checkpoint = CheckpointDirectory.Open(Path.Combine(Shared.RepositoryRoot, "models", "bard"));
    private readonly CpuBackend _backend;
    private readonly TrunkStage[] _stages;
    private readonly SequenceCaches[] _caches;
    private readonly ExpertGroup _experts;

    public LocalPipeline()
    {
        _backend = new CpuBackend(0, 2, ActivationType.Float32, Config);
        var half = Config.Layers / 2;
        _stages =
        [
            TrunkStage.Load(_backend, Config, new(0, half), _checkpoint), TrunkStage.Load(_backend, Config, new(half, Config.Layers - half), _checkpoint),
        ];
        _caches = [.. _stages.Select(s => new SequenceCaches(s.NewCache))];
        _experts = ExpertGroup.Load(_backend, Config, 0, Config.Experts, _checkpoint);
    }

    public LlamaConfig Config => _checkpoint.Config;

    public ModelShape Shape => ModelShapes.Of("bard", Config, ElementType.BFloat16, ActivationType.Float32);

    /// <summary>Bytes of one block of 64 positions, of a layer that sees the whole context and of one that sees a chunk: they are equal.</summary>
    public long BlockBytes => 2L * KvRoom.BlockPositions * Config.KvHeads * Config.HeadDim * sizeof(float);

    public long KvBytes => _backend.KvBytes;

    public (StageProtocol.Ran Ran, byte[] Logits) Run(SchedulerEffect.RunBatch batch)
    {
        Activation? x = null;
        foreach (var (stage, caches) in _stages.Zip(_caches))
        {
            caches.Free(batch.Freed);
            var rows = caches.TryRows(batch.Sequences, batch.Ids, out var reason) ?? throw new InvalidOperationException(reason);
            x ??= stage.Embed(batch.Ids.AsSpan());
            for (var layer = stage.Layers.First; layer < stage.Layers.End; layer++)
            {
                var next = Layer(stage, layer, x, rows);
                x.Dispose();
                x = next;
            }
        }

        var output = BatchOutput.Compute(_stages[1], _backend, Config.VocabSize, x!, batch.Sequences, _caches[1]);
        using var logits = output.Logits as BytesPayload;
        return (new(batch.Batch, output.Ids, output.LogProbs), logits?.Memory.ToArray() ?? []);
    }

    public void Free(IReadOnlyList<SequenceId> sequences)
    {
        foreach (var caches in _caches) caches.Free([.. sequences]);
    }

    /// <summary>The pipeline has another epoch: nothing of before is met any more.</summary>
    public void Forget()
    {
        foreach (var caches in _caches) caches.Dispose();
    }

    public void Dispose()
    {
        Forget();
        foreach (var stage in _stages) stage.Dispose();
        _experts.Dispose();
        _backend.Dispose();
        _checkpoint.Dispose();
    }

    private Activation Layer(TrunkStage stage, int layer, Activation x, RowBatch rows)
    {
        using var h = stage.Attend(layer, x, rows);
        using var input = stage.Route(layer, h);
        using var shared = stage.Shared(layer, input);
        using var routed = _experts.Run(layer, input.Routing.Scaled, input.Routing.Experts);
        return stage.Combine(h, shared, routed);
    }
}
