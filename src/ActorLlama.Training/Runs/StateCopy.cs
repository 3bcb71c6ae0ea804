using ActorLlama.Checkpoints;
using ActorLlama.Kernels;
using ActorLlama.Model;

namespace ActorLlama.Training.Runs;

/// <summary>A run's state as it was, in memory of its own, while the run goes on.</summary>
public sealed class StateCopy : IDisposable
{
    private readonly List<Copied> _tensors = [];

    private StateCopy(TrainedState state) => State = state with { Weights = [.. state.Weights.Select(Copy)], Optimizer = [.. state.Optimizer.Select(Copy)] };

    public TrainedState State { get; }

    public static StateCopy Of(TrainedState state) => new(state);

    public void Dispose()
    {
        foreach (var tensor in _tensors) tensor.Free();
    }

    private Copied Copy(TensorData tensor)
    {
        var copy = new Copied(tensor);
        _tensors.Add(copy);
        return copy;
    }

    private sealed unsafe class Copied : TensorData
    {
        private const int PieceBytes = 1 << 26;
        private readonly MappedMemory _memory;

        public Copied(TensorData of) : base(of.Name, of.Type, of.Shape)
        {
            _memory = new MappedMemory(Bytes);
            for (var at = 0L; at < Bytes; at += PieceBytes) of.Read(at, new Span<byte>((byte*)_memory.Address + at, (int)Math.Min(PieceBytes, Bytes - at)));
        }

        public override void Read(long offset, Span<byte> bytes)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes.Length, Bytes, nameof(offset));
            new ReadOnlySpan<byte>((byte*)_memory.Address + offset, bytes.Length).CopyTo(bytes);
        }

        public void Free() => _memory.Dispose();
    }
}
