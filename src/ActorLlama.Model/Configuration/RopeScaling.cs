namespace ActorLlama.Model;

/// <summary>llama3-type RoPE scaling (spec 1.2, 2.3).</summary>
public sealed record RopeScaling(double Factor, double LowFreqFactor, double HighFreqFactor, int OriginalMaxPositions)
{
    /// <summary>Radians per position of pair <paramref name="pair"/> of a head, before scaling.</summary>
    public static double FrequencyOf(double theta, int pair, int headDim) => 1 / Math.Pow(theta, 2.0 * pair / headDim);

    /// <summary>What a frequency becomes.</summary>
    public double Scale(double frequency)
    {
        var wavelength = 2 * Math.PI / frequency;
        double original = OriginalMaxPositions, low = LowFreqFactor, high = HighFreqFactor;
        if (wavelength < original / high) return frequency;
        // low == high leaves no blended range, and the division below would be by zero.
        if (wavelength > original / low || low == high) return frequency / Factor;
        var share = (original / wavelength - low) / (high - low);
        return (1 - share) * frequency / Factor + share * frequency;
    }
}
