namespace ActorLlama.Model;

/// <summary>
/// RoPE's angles (spec 2.3): frequencies and their llama3 scaling in double, rounded to float32 once; the angle is the float32 product
/// of position and frequency; its cosine and sine are computed in double and rounded once.
/// </summary>
internal sealed class RotaryAngles
{
    private readonly float[] _frequencies;

    public RotaryAngles(LlamaConfig config)
    {
        _frequencies = new float[config.HeadDim / 2];
        for (var pair = 0; pair < _frequencies.Length; pair++)
        {
            var frequency = RopeScaling.FrequencyOf(config.RopeTheta, pair, config.HeadDim);
            _frequencies[pair] = (float)(config.RopeScaling?.Scale(frequency) ?? frequency);
        }
    }

    /// <summary>Radians per position of pair j, which is elements 2j and 2j + 1 of a head.</summary>
    public ReadOnlySpan<float> Frequencies => _frequencies;

    /// <summary>Fills cos and sin (HeadDim / 2 each) for an absolute position.</summary>
    public void Fill(int position, Span<float> cos, Span<float> sin)
    {
        for (var pair = 0; pair < _frequencies.Length; pair++)
        {
            double angle = (float)position * _frequencies[pair];
            (cos[pair], sin[pair]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
        }
    }
}
