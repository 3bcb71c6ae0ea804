using System.Collections.Immutable;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>What positions bring, as tensors: made once for a batch and used by all of its layers.</summary>
internal sealed class TorchPositions(LlamaConfig config, RotaryAngles rotary, Device device) : IDisposable
{
    private ImmutableArray<int> _of;
    private Tensor? _cos, _sin, _temperature;

    /// <summary>Cosine and sine [T,1,h/2] of each row's angles.</summary>
    public (Tensor Cos, Tensor Sin) Angles_T1p(RowBatch rows)
    {
        Select(rows);
        if (_cos is null || _sin is null)
        {
            int pairs = config.HeadDim / 2, count = rows.Rows;
            var (cos, sin) = (new float[count * pairs], new float[count * pairs]);
            for (var row = 0; row < count; row++)
                rotary.Fill(rows.Positions[row], cos.AsSpan(row * pairs, pairs), sin.AsSpan(row * pairs, pairs));
            _cos = tensor(cos, [count, 1, pairs], ScalarType.Float32, device).DetachFromDisposeScope();
            _sin = tensor(sin, [count, 1, pairs], ScalarType.Float32, device).DetachFromDisposeScope();
        }
        return (_cos, _sin);
    }

    /// <summary>Temperature factor [T,1] of each row.</summary>
    public Tensor Temperature_T1(RowBatch rows)
    {
        Select(rows);
        var factors = rows.Positions.Select(position => AttentionTemperature.At(config, position)).ToArray();
        return _temperature ??= tensor(factors, [rows.Rows, 1], ScalarType.Float32, device).DetachFromDisposeScope();
    }

    public void Dispose()
    {
        _cos?.Dispose();
        _sin?.Dispose();
        _temperature?.Dispose();
        (_cos, _sin, _temperature) = (null, null, null);
    }

    private void Select(RowBatch rows)
    {
        if (_of == rows.Positions) return;
        Dispose();
        _of = rows.Positions;
    }
}
