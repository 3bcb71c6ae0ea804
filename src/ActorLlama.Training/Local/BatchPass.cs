using ActorLlama.Model;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// One microbatch through all segments and back, segment by segment and within it slot by slot in slot order: the schedule that training actors follow together. Gradients go to
/// their owners; nothing stays behind but they.
/// </summary>
internal sealed class BatchPass : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly TrainerOptions _options;
    private readonly LocalDevices _devices;
    private readonly LossSums _losses;
    private readonly TrainingSlot[] _slots;
    private readonly bool _isTraining;
    private readonly double _balanceScale;
    private readonly Tensor[] _x;
    private readonly List<Tensor[]> _inputs = [];
    private readonly List<(SegmentCopies Segment, LayerRun[] Runs)> _graphs = [];

    /// <param name="config">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="devices">Devices and owners.</param>
    /// <param name="losses">Where losses go.</param>
    /// <param name="slots">The microbatch.</param>
    /// <param name="balanceScale">What a slot's load-balance loss in one layer counts in the sum over tokens; null: forward only.</param>
    public BatchPass(LlamaConfig config, TrainerOptions options, LocalDevices devices, LossSums losses, TrainingSlot[] slots, double? balanceScale)
    {
        (_config, _options, _devices, _losses, _slots) = (config, options, devices, losses, slots);
        (_isTraining, _balanceScale) = (balanceScale is not null, balanceScale ?? 0);
        _x = new Tensor[slots.Length];
    }

    public void Run()
    {
        Embed();
        for (var layer = 0; layer < _config.Layers; layer++) Forward(layer);
        Head();
        if (!_isTraining) return;
        for (var layer = _config.Layers - 1; layer >= 0; layer--) Backward(layer);
        EmbedBackward();
    }

    public void Dispose()
    {
        foreach (var (segment, runs) in _graphs) Drop(segment, runs);
        foreach (var inputs in _inputs) Drop(inputs);
        Drop(_x);
    }

    private void Embed()
    {
        using var segment = new SegmentCopies(this, 0);
        for (var i = 0; i < _slots.Length; i++) _x[i] = segment.Of(i).Embed(_slots[i]);
    }

    private void Forward(int layer)
    {
        var keeps = _isTraining && !_options.Rematerialises;
        var segment = new SegmentCopies(this, TrunkSegments.OfLayer(layer));
        var runs = new List<LayerRun>();
        try
        {
            for (var i = 0; i < _slots.Length; i++)
            {
                var run = segment.Of(i).Run(_x[i], _slots[i], keeps, _options.LoadBalanceWeight);
                runs.Add(run);
                var y = Output(layer, run);
                if (run.Experts is { } experts) _losses.AddLayer(layer, run.Balance, experts.Span);
                if (_isTraining && !keeps)
                {
                    if (i == 0) _inputs.Add(new Tensor[_slots.Length]);
                    _inputs[layer][i] = _x[i];
                }
                else _x[i].Dispose();
                _x[i] = y;
                if (!keeps) run.Dispose();
            }
        }
        finally
        {
            if (keeps) _graphs.Add((segment, [.. runs]));
            else segment.Dispose();
        }
    }

    private Tensor Output(int layer, LayerRun run)
    {
        if (run.Experts is not { } experts) return run.Output(null);
        using var routed = _devices.Run(layer, run.Rows, experts);
        return run.Output(routed);
    }

    private void Head()
    {
        using var phase = _devices.Clock.Enter(StepPhase.Head);
        using var segment = new SegmentCopies(this, TrunkSegments.Head(_config));
        for (var i = 0; i < _slots.Length; i++)
        {
            var (loss, gradients) = segment.Of(i).Head(_x[i], _slots[i], _options.ZLossWeight, _isTraining);
            _losses.Add(loss);
            if (gradients is not null) Take(i, gradients);
        }
    }

    private void Backward(int layer)
    {
        var (segment, runs) = _options.Rematerialises ? (new SegmentCopies(this, TrunkSegments.OfLayer(layer)), null) : _graphs[layer];
        try
        {
            for (var i = 0; i < _slots.Length; i++)
            {
                var run = runs?[i] ?? segment.Of(i).Run(_inputs[layer][i], _slots[i], keepsGraph: true, _options.LoadBalanceWeight);
                try
                {
                    using var rows = run.Experts is { } experts ? _devices.Backward(layer, run.Rows, experts, _x[i]) : null;
                    Take(i, run.Backward(_x[i], rows, _balanceScale));
                }
                finally
                {
                    run.Dispose();
                }
                if (_options.Rematerialises) _inputs[layer][i].Dispose();
            }
        }
        finally
        {
            segment.Dispose();
        }
    }

    private void EmbedBackward()
    {
        using var segment = new SegmentCopies(this, 0);
        for (var i = 0; i < _slots.Length; i++)
        {
            using var gradients = segment.Of(i).EmbedBackward(_slots[i], _x[i]);
            _devices.Add(gradients);
        }
    }

    /// <summary>Hands the parameters' gradients to their owners; the input's takes the place of the output's.</summary>
    private void Take(int slot, SegmentGradients gradients)
    {
        _devices.Add(gradients);
        _x[slot].Dispose();
        _x[slot] = gradients.Input!;
        (gradients with { Input = null }).Dispose();
    }

    private static void Drop(SegmentCopies segment, LayerRun[] runs)
    {
        foreach (var run in runs) run.Dispose();
        segment.Dispose();
    }

    private static void Drop(Tensor?[] tensors)
    {
        foreach (var tensor in tensors) tensor?.Dispose();
    }

    /// <summary>A segment gathered on each device that has one of the slots: even shares of them, in order.</summary>
    private sealed class SegmentCopies(BatchPass pass, int segment) : IDisposable
    {
        private readonly Dictionary<int, TrunkSegment> _copies = [];

        public TrunkSegment Of(int slot)
        {
            var device = (int)((long)slot * pass._devices.Count / pass._slots.Length);
            if (!_copies.TryGetValue(device, out var copy)) _copies[device] = copy = pass._devices.Gather(device, segment);
            return copy;
        }

        public void Dispose()
        {
            foreach (var copy in _copies.Values) copy.Dispose();
            _copies.Clear();
        }
    }
}
