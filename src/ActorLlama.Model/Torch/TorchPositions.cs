using System.Collections.Immutable;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>What positions bring, as tensors: made once for a batch and used by all of its layers.</summary>
internal sealed class TorchPositions(LlamaConfig config, RotaryAngles rotary, Device device) : IDisposable
{
    private ImmutableArray<int> _of;
    private Tensor? _angles, _temperature;

    /// <summary>Each row's angles as complex numbers, cosine and sine [T,1,h/2].</summary>
    public Tensor Angles_T1p(RowBatch rows)
    {
        Select(rows);
        if (_angles is not null) return _angles;
        int pairs = config.HeadDim / 2, count = rows.Rows;
        var (cos, sin, angles) = (new float[pairs], new float[pairs], new (float, float)[count * pairs]);
        for (var row = 0; row < count; row++)
        {
            rotary.Fill(rows.Positions[row], cos, sin);
            for (var pair = 0; pair < pairs; pair++) angles[row * pairs + pair] = (cos[pair], sin[pair]);
        }
        return _angles = tensor(angles, [count, 1, pairs], ScalarType.ComplexFloat32, device).DetachFromDisposeScope();
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
        _angles?.Dispose();
        _temperature?.Dispose();
        (_angles, _temperature) = (null, null);
    }

    private void Select(RowBatch rows)
    {
        if (_of == rows.Positions) return;
        Dispose();
        _of = rows.Positions;
    }
}
