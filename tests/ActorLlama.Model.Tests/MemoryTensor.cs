using System.Collections.Immutable;

namespace ActorLlama.Model.Tests;

/// <summary>A tensor that lies row major at an address.</summary>
internal sealed unsafe class MemoryTensor(string name, ElementType type, ImmutableArray<long> shape, nint address) : StoredTensor(name, type, shape)
{
    public nint Address { get; } = address;

    public override void Read(long offset, Span<byte> bytes) => new ReadOnlySpan<byte>((byte*)Address + offset, bytes.Length).CopyTo(bytes);

    public override HeldEntries Hold() => new(0, [Address], Shape[^1], 0, null);

    public override HeldEntries Hold(int first, int count, long column, long columns) => new(
        first, [.. Enumerable.Range(first, count).Select(entry => (nint)(Address + (entry * Shape[1] * Shape[2] + column) * ElementBytes))], Shape[2], 0, null);
}
