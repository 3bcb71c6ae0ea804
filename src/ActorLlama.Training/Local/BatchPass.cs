using ActorLlama.Model;
using ActorLlama.Protocol;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// One device's slots of a microbatch through all segments and back, segment by segment and within it slot by slot in slot order. Gradients go to their owners; nothing stays behind
/// but they. On the device's thread.
/// </summary>
internal sealed class BatchPass : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly TrainerOptions _options;
    private readonly IExchange _exchange;
    private readonly LossSums _losses;
    private readonly (int Number, TrainingSlot Data)[] _slots;
    private readonly bool _isTraining;
    private readonly double _balanceScale;
    private readonly Tensor?[] _x;
    private readonly List<Tensor?[]> _inputs = [];
    private readonly List<(TrunkSegment Segment, LayerRun?[] Runs)> _graphs = [];

    /// <param name="config">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="exchange">The owners of its parameters.</param>
    /// <param name="losses">Where losses go.</param>
    /// <param name="slots">Numbers, ascending, and contents.</param>
    /// <param name="balanceScale">What a slot's load-balance loss in one layer counts in the sum over tokens; null: forward only.</param>
    public BatchPass(
        LlamaConfig config, TrainerOptions options, IExchange exchange, LossSums losses, (int Number, TrainingSlot Data)[] slots, double? balanceScale)
    {
        (_config, _options, _exchange, _losses, _slots) = (config, options, exchange, losses, slots);
        (_isTraining, _balanceScale) = (balanceScale is not null, balanceScale ?? 0);
        _x = new Tensor?[slots.Length];
    }

    public async Task RunAsync()
    {
        await EmbedAsync();
        for (var layer = 0; layer < _config.Layers; layer++) await ForwardAsync(layer);
        await HeadAsync();
        if (!_isTraining) return;
        for (var layer = _config.Layers - 1; layer >= 0; layer--) await BackwardAsync(layer);
        for (var i = 0; i < _slots.Length; i++)
        {
            using var gradients = TrunkSegment.EmbedBackward(_config, _slots[i].Data, _x[i]!);
            await _exchange.Scatter(_slots[i].Number, 0, gradients);
        }
    }

    public void Dispose()
    {
        foreach (var (segment, runs) in _graphs) Drop(segment, runs);
        foreach (var inputs in _inputs) Drop(inputs);
        Drop(_x);
    }

    private async Task EmbedAsync()
    {
        using var segment = await _exchange.Gather(0, ExchangePass.Forward);
        for (var i = 0; i < _slots.Length; i++) _x[i] = segment.Embed(_slots[i].Data);
    }

    private async Task ForwardAsync(int layer)
    {
        var keeps = _isTraining && !_options.Rematerialises;
        var segment = await _exchange.Gather(TrunkSegments.OfLayer(layer), ExchangePass.Forward);
        var runs = new LayerRun?[_slots.Length];
        var routed = new Answer<Tensor>?[_slots.Length];
        if (_isTraining && !keeps) _inputs.Add(new Tensor?[_slots.Length]);
        try
        {
            await InTurnAsync(routed, Start, FinishAsync);
        }
        finally
        {
            if (keeps) _graphs.Add((segment, runs));
            else Drop(segment, runs);
        }

        void Start(int i)
        {
            var run = runs[i] = segment.Run(_x[i]!, _slots[i].Data, keeps, _options.LoadBalanceWeight);
            if (run.Experts is not { } experts) return;
            _losses.AddLayer(_slots[i].Number, layer, run.Balance, experts.Span);
            routed[i] = _exchange.RunExperts(_slots[i].Number, layer, run.Rows, experts);
        }

        async Task FinishAsync(int i)
        {
            using var rows = routed[i] is { } answer ? await answer : null;
            var y = runs[i]!.Output(rows);
            if (_isTraining && !keeps) _inputs[layer][i] = _x[i];
            else _x[i]!.Dispose();
            _x[i] = y;
            if (keeps) return;
            runs[i]!.Dispose();
            runs[i] = null;
        }
    }

    /// <summary>Starts and finishes all slots. While one waits for the experts, the next is started; no more, for each holds its activations.</summary>
    private async Task InTurnAsync(Answer<Tensor>?[] answers, Action<int> start, Func<int, Task> finishAsync)
    {
        var next = 0;
        for (var i = 0; i < answers.Length; i++)
        {
            start(i);
            await _exchange.Yield();
            while (next < i || (next == i && answers[i] is not { IsCompleted: false })) await finishAsync(next++);
        }
        while (next < answers.Length) await finishAsync(next++);
    }

    private async Task HeadAsync()
    {
        var head = TrunkSegments.Head(_config);
        using var segment = await _exchange.Gather(head, ExchangePass.Forward);
        for (var i = 0; i < _slots.Length; i++)
        {
            if (Head(segment, i) is { } gradients) await TakeAsync(i, head, gradients);
            await _exchange.Yield();
        }
    }

    private SegmentGradients? Head(TrunkSegment segment, int i)
    {
        using var phase = _exchange.Clock.Enter(StepPhase.Head);
        var (loss, gradients) = segment.Head(_x[i]!, _slots[i].Data, _options.ZLossWeight, _isTraining);
        _losses.Add(_slots[i].Number, loss);
        return gradients;
    }

    private async Task BackwardAsync(int layer)
    {
        var number = TrunkSegments.OfLayer(layer);
        var (segment, runs) = _options.Rematerialises ? (await _exchange.Gather(number, ExchangePass.Recompute), new LayerRun?[_slots.Length]) : _graphs[layer];
        var rows = new Answer<Tensor>?[_slots.Length];
        try
        {
            await InTurnAsync(rows, Start, FinishAsync);
        }
        finally
        {
            Drop(segment, runs);
            if (!_options.Rematerialises) _graphs.RemoveAt(layer);
        }

        void Start(int i)
        {
            var run = runs[i] ??= segment.Run(_inputs[layer][i]!, _slots[i].Data, keepsGraph: true, _options.LoadBalanceWeight);
            if (run.Experts is { } experts) rows[i] = _exchange.RunExpertsBackward(_slots[i].Number, layer, run.Rows, experts, _x[i]!);
        }

        async Task FinishAsync(int i)
        {
            using var gradient = rows[i] is { } answer ? await answer : null;
            await TakeAsync(i, number, runs[i]!.Backward(_x[i]!, gradient, _balanceScale));
            runs[i]!.Dispose();
            runs[i] = null;
            if (!_options.Rematerialises) return;
            _inputs[layer][i]!.Dispose();
            _inputs[layer][i] = null;
        }
    }

    /// <summary>Hands the parameters' gradients to their owners; the input's takes the place of the output's.</summary>
    private async Task TakeAsync(int i, int segment, SegmentGradients gradients)
    {
        using var parameters = gradients with { Input = null };
        _x[i]!.Dispose();
        _x[i] = gradients.Input!;
        await _exchange.Scatter(_slots[i].Number, segment, parameters);
    }

    private static void Drop(TrunkSegment segment, IEnumerable<LayerRun?> runs)
    {
        foreach (var run in runs) run?.Dispose();
        segment.Dispose();
    }

    private static void Drop(Tensor?[] tensors)
    {
        for (var i = 0; i < tensors.Length; i++)
        {
            tensors[i]?.Dispose();
            tensors[i] = null;
        }
    }
}
