using System.Diagnostics;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Telemetry;

namespace ActorLlama.Runtime.Stages;

/// <summary>One batch on its way through one stage: where it is, and the rows it owns there.</summary>
internal sealed class BatchRun(StageProtocol.Run message, RowBatch rows, int firstLayer, long startedMs) : IDisposable
{
    private readonly ActivityContext? _batch = NodeTracing.Context(message.TraceParent);
    private Activation? _x, _attended, _shared;
    private MoeInput? _input;
    private Activity? _span;

    public StageProtocol.Run Message => message;
    public RowBatch Rows => rows;
    public int Layer { get; private set; } = firstLayer;

    /// <summary>When the scheduler last heard of it from here.</summary>
    public long ToldMs { get; set; } = startedMs;

    /// <summary>The span of <see cref="Layer"/>; null: the batch is not sampled.</summary>
    public ActivityContext? Span => _span?.Context;

    /// <summary>The residual stream before <see cref="Layer"/>.</summary>
    public Activation X => _x ?? throw new InvalidOperationException($"Batch {message.Batch}: layer {Layer} has no input.");

    /// <summary>Rows enter the stage.</summary>
    public void Enter(Activation x) => _x = x;

    /// <summary>Work on <see cref="Layer"/> begins.</summary>
    public void BeginLayer() => _span = _batch is { } batch ? NodeTracing.Start("layer", batch)?.SetTag("actorllama.layer", Layer) : null;

    /// <summary>A dense layer is done.</summary>
    public void Pass(Activation next)
    {
        EndLayer(null);
        _x?.Dispose();
        _x = next;
        Layer++;
    }

    /// <summary>An MoE layer has attended.</summary>
    public Activation Attended(Activation attended) => _attended = attended;

    /// <summary>It has routed, too; the routing's rows belong to the router from here on.</summary>
    public void AwaitExperts(MoeInput input)
    {
        _x?.Dispose();
        (_x, _input) = (null, input);
    }

    /// <summary>The shared expert begins: it waits for routed ones of this device, until <see cref="CatchUp"/>.</summary>
    public void BeginShared(TrunkStage stage) => _shared = stage.Shared(Layer, _input!);

    /// <summary>The shared expert is computed now, if it was not beside routed ones.</summary>
    public void CatchUp(TrunkStage stage)
    {
        if (_input is null) return;
        stage.CatchUp();
        _input.Normed.Dispose();
        _input = null;
    }

    /// <summary>Ends an MoE layer with the routed rows, which it disposes.</summary>
    public void Combine(TrunkStage stage, Activation routed)
    {
        using (routed)
        {
            CatchUp(stage);
            _x = stage.Combine(_attended!, _shared!, routed);
        }

        _attended!.Dispose();
        _shared!.Dispose();
        (_attended, _shared) = (null, null);
        EndLayer(null);
        Layer++;
    }

    public Activation TakeX()
    {
        var x = X;
        _x = null;
        return x;
    }

    public void Dispose()
    {
        EndLayer("dropped");
        _x?.Dispose();
        _attended?.Dispose();
        _shared?.Dispose();
        _input?.Normed.Dispose();
        (_x, _attended, _shared, _input) = (null, null, null, null);
    }

    private void EndLayer(string? error)
    {
        NodeTracing.End(_span, error);
        _span = null;
    }
}
