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
            var frequency = 1 / Math.Pow(config.RopeTheta, 2.0 * pair / config.HeadDim);
            _frequencies[pair] = (float)(config.RopeScaling is { } scaling ? Scale(frequency, scaling) : frequency);
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

    private static double Scale(double frequency, RopeScaling scaling)
    {
        var wavelength = 2 * Math.PI / frequency;
        double original = scaling.OriginalMaxPositions, low = scaling.LowFreqFactor, high = scaling.HighFreqFactor;
        if (wavelength < original / high) return frequency;
        // low == high leaves no blended range, and the division below would be by zero.
        if (wavelength > original / low || low == high) return frequency / scaling.Factor;
        var share = (original / wavelength - low) / (high - low);
        return (1 - share) * frequency / scaling.Factor + share * frequency;
    }
}
