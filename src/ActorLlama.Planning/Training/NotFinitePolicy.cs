namespace ActorLlama.Planning.Training;

/// <summary>What becomes of a step whose loss or gradient is not finite: it ends the run, or is left out. Nothing of it is applied either way.</summary>
/// <param name="StopsOnNaN"><c>abort_on_nan_loss</c>.</param>
/// <param name="StopsOnInfinity"><c>abort_on_inf_loss</c>.</param>
public readonly record struct NotFinitePolicy(bool StopsOnNaN, bool StopsOnInfinity)
{
    public static NotFinitePolicy Stop { get; } = new(true, true);

    /// <summary>Whether a step of that loss ends the run; with a finite loss it is a gradient that was not, which either flag stops.</summary>
    public bool Stops(double loss) =>
        double.IsNaN(loss) ? StopsOnNaN : double.IsInfinity(loss) ? StopsOnInfinity : StopsOnNaN || StopsOnInfinity;
}
