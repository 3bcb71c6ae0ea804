namespace ActorLlama.Training;

/// <summary>How the learning rate falls after the warm-up.</summary>
public enum LearningRateShape : byte
{
    /// <summary>A half cosine down to the final rate.</summary>
    Cosine = 0,

    /// <summary>Constant, and over the last part linearly down to the final rate (warm-up, stable, decay).</summary>
    WarmupStableDecay = 1,
}

/// <summary>The learning rate of every update (spec 7.1): a linear rise from 0, so that the first update has rate 0, then the shape, then 0 for ever.</summary>
/// <param name="Peak">Highest rate.</param>
/// <param name="Steps">Updates of the whole schedule.</param>
/// <param name="Shape">What follows the warm-up.</param>
/// <param name="WarmupFraction">Part of the updates that rise; rounded down.</param>
/// <param name="FinalFraction">Last rate, as a part of the peak.</param>
/// <param name="DecayFraction">With warm-up, stable, decay: part of the updates that fall; rounded down.</param>
public sealed record LearningRates(
    double Peak, long Steps, LearningRateShape Shape = LearningRateShape.Cosine, double WarmupFraction = 0.1, double FinalFraction = 0.1, double DecayFraction = 0.1)
{
    /// <summary>The rate of the update that follows <paramref name="updates"/> updates.</summary>
    public double At(long updates)
    {
        if (updates >= Steps) return 0;
        var rising = (long)(WarmupFraction * Steps);
        if (updates < rising) return Peak * updates / rising;
        if (Shape == LearningRateShape.Cosine) return Peak * (FinalFraction + (1 - FinalFraction) * 0.5 * (1 + Math.Cos(Math.PI * Share(updates - rising, Steps - rising))));
        var falling = Math.Min((long)(DecayFraction * Steps), Steps - rising);
        return updates < Steps - falling ? Peak : Peak * (1 - (1 - FinalFraction) * Share(updates - (Steps - falling), falling));
    }

    /// <summary>0 at the first of so many updates, 1 at the last.</summary>
    private static double Share(long update, long of) => of > 1 ? (double)update / (of - 1) : 0;
}
