using System.Buffers.Binary;

namespace ActorLlama.Runtime.Lanes;

/// <summary>The eight bytes ahead of every frame: length of what follows, kind, class, two zeros. Little-endian.</summary>
internal readonly record struct FrameHeader(int Length, FrameKind Kind, LaneClass Class)
{
    public const int Size = 8;

    /// <summary>Throws <see cref="LaneFormatException"/>; a length is never believed beyond <paramref name="maxLength"/>.</summary>
    public static FrameHeader Parse(ReadOnlySpan<byte> bytes, int maxLength)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (length > (uint)maxLength)
            throw new LaneFormatException($"Lane: a frame claims {length} bytes, above the limit of {maxLength}.");
        if (bytes[4] is < (byte)FrameKind.Handshake or > (byte)FrameKind.Goodbye)
            throw new LaneFormatException($"Lane: a frame has the unknown kind {bytes[4]}.");
        if (bytes[5] >= LaneClasses.Count)
            throw new LaneFormatException($"Lane: a frame has the unknown class {bytes[5]}.");
        if (bytes[6] != 0 || bytes[7] != 0)
            throw new LaneFormatException($"Lane: a frame has {bytes[6]} and {bytes[7]} where two zeros belong.");
        return new FrameHeader((int)length, (FrameKind)bytes[4], (LaneClass)bytes[5]);
    }

    public void Write(Span<byte> into)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(into, (uint)Length);
        into[4] = (byte)Kind;
        into[5] = (byte)Class;
        into[6] = into[7] = 0;
    }
}
