namespace ActorLlama.Model;

/// <summary>How weights are loaded.</summary>
/// <param name="AllowNaN">False: a NaN is an <see cref="InvalidDataException"/> naming tensor and element.</param>
/// <param name="BytesRead">Called with the bytes of weights that were read since the last call, from several threads at once.</param>
/// <param name="Cancellation">Ends a load with <see cref="OperationCanceledException"/>.</param>
public sealed record WeightLoading(bool AllowNaN = false, Action<long>? BytesRead = null, CancellationToken Cancellation = default)
{
    /// <summary>True: held as it is stored, whatever the device does with others.</summary>
    public bool KeepsType { get; init; }

    /// <summary>Counts bytes that were just read, and ends the load where it is no longer wanted.</summary>
    internal void Pass(long bytes)
    {
        BytesRead?.Invoke(bytes);
        Cancellation.ThrowIfCancellationRequested();
    }
}
