using System.Buffers;
using System.Runtime.InteropServices;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>Walks over all elements of views as float32, in pieces, several threads at once.</summary>
internal static class WeightValues
{
    private const int ChunkBytes = 1 << 22;

    public static TensorStatistics Statistics(TensorView view, CancellationToken cancellation)
    {
        var merge = new Lock();
        var (min, max, sum, nan) = (float.PositiveInfinity, float.NegativeInfinity, 0.0, 0L);
        var reader = new ViewReader(view);
        ForEachChunk(view.Elements, (first, values) =>
        {
            reader.ReadAs(ElementType.Float32, first * 4, MemoryMarshal.AsBytes(values));
            var (low, high, total, none) = (float.PositiveInfinity, float.NegativeInfinity, 0.0, 0L);
            foreach (var value in values)
                if (float.IsNaN(value)) none++;
                else
                {
                    low = MathF.Min(low, value);
                    high = MathF.Max(high, value);
                    total += value;
                }
            lock (merge) (min, max, sum, nan) = (MathF.Min(min, low), MathF.Max(max, high), sum + total, nan + none);
        }, cancellation);
        return new TensorStatistics(min, max, view.Elements > nan ? sum / (view.Elements - nan) : 0, nan);
    }

    /// <summary>
    /// The largest difference of two tensors of equal shape, and how many elements differ in their bits. NaN against a number is infinitely far; equal
    /// bits are no difference, NaN or not.
    /// </summary>
    public static (double Largest, long Different) Difference(TensorView a, TensorView b, CancellationToken cancellation)
    {
        var merge = new Lock();
        var (largest, different) = (0.0, 0L);
        ViewReader left = new(a), right = new(b);
        ForEachChunk(a.Elements, (first, values) =>
        {
            var rented = ArrayPool<float>.Shared.Rent(values.Length);
            try
            {
                var others = rented.AsSpan(0, values.Length);
                left.ReadAs(ElementType.Float32, first * 4, MemoryMarshal.AsBytes(values));
                right.ReadAs(ElementType.Float32, first * 4, MemoryMarshal.AsBytes(others));
                if (MemoryMarshal.AsBytes(values).SequenceEqual(MemoryMarshal.AsBytes(others))) return;
                var (far, count) = (0.0, 0L);
                for (var i = 0; i < values.Length; i++)
                {
                    if (BitConverter.SingleToUInt32Bits(values[i]) == BitConverter.SingleToUInt32Bits(others[i])) continue;
                    count++;
                    var difference = Math.Abs((double)values[i] - others[i]);
                    far = Math.Max(far, double.IsNaN(difference) ? double.PositiveInfinity : difference);
                }
                lock (merge) (largest, different) = (Math.Max(largest, far), different + count);
            }
            finally
            {
                ArrayPool<float>.Shared.Return(rented);
            }
        }, cancellation);
        return (largest, different);
    }

    private delegate void Chunk(long first, Span<float> values);

    private static void ForEachChunk(long elements, Chunk work, CancellationToken cancellation)
    {
        const int chunk = ChunkBytes / 4;
        Parallel.For(0, (elements + chunk - 1) / chunk, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            var rented = ArrayPool<float>.Shared.Rent(chunk);
            try
            {
                work(i * chunk, rented.AsSpan(0, (int)Math.Min(chunk, elements - i * chunk)));
            }
            finally
            {
                ArrayPool<float>.Shared.Return(rented);
            }
        });
    }
}
