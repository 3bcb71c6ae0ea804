using System.Runtime.InteropServices;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class PackedMatrixTests
{
    [Theory]
    [InlineData(true, 70, 75)]
    [InlineData(false, 64, 40)]
    [InlineData(true, 1, 1)]
    public void Panels_read_piece_by_piece_equal_those_of_a_matrix_in_memory(bool isBf16, int outputs, int inputs)
    {
        using var team = new ThreadTeam(2);
        var size = isBf16 ? 2 : 4;
        var bytes = new byte[outputs * inputs * size];
        new Random(outputs).NextBytes(bytes);
        using var expected = Pack(bytes, isBf16, outputs, inputs, team);
        using var actual = PackedMatrix.Pack(Read, isBf16, outputs, inputs, team);
        Assert.Equal(WeightPanels.PackedBytes(isBf16, outputs, inputs), actual.Bytes);
        var all = new ReadOnlySpan<byte>(expected.Panels.Data, (int)expected.Bytes);
        Assert.True(all.SequenceEqual(new ReadOnlySpan<byte>(actual.Panels.Data, (int)actual.Bytes)));

        // Any part of a panel, through as little scratch memory as there may be.
        var (first, start, group) = (outputs / 32 * 32 == outputs ? outputs - 32 : outputs / 32 * 32, inputs / 3, 32 * size);
        var part = new byte[(inputs - start) * group];
        fixed (byte* to = part) PackedMatrix.PackPanel(Read, isBf16, outputs, inputs, first, start, inputs - start, (nint)to, new byte[2 * group]);
        Assert.True(all.Slice((int)(first / 32 * expected.Panels.PanelStride) + start * group, part.Length).SequenceEqual(part));

        void Read(long element, int count, nint to) =>
            bytes.AsSpan((int)element * size, count * size).CopyTo(new Span<byte>((void*)to, count * size));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_element_of_a_panel_has_the_place_that_was_packed_there(bool isBf16)
    {
        const int outputs = 45, inputs = 7;
        using var team = new ThreadTeam(1);
        var numbers = Enumerable.Range(1, outputs * inputs).ToArray();
        var bytes = isBf16 ? MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(numbers, n => (ushort)n)) : MemoryMarshal.AsBytes<int>(numbers);
        using var packed = Pack(bytes.ToArray(), isBf16, outputs, inputs, team);
        for (var i = 0; i < 2 * 32 * inputs; i++)
        {
            var found = isBf16 ? ((ushort*)packed.Panels.Data)[i] : ((int*)packed.Panels.Data)[i];
            var (output, input) = packed.Panels.PlaceOf(i);
            Assert.Equal(output < outputs ? output * inputs + input + 1 : 0, found);
        }
    }

    private static PackedMatrix Pack(byte[] bytes, bool isBf16, int outputs, int inputs, ThreadTeam team)
    {
        fixed (byte* matrix = bytes) return PackedMatrix.Pack((nint)matrix, isBf16, outputs, inputs, inputs, 1, team);
    }
}
