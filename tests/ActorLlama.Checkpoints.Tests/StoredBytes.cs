using ActorLlama.Model;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>What a backend reads of a tensor.</summary>
internal static class StoredBytes
{
    public static byte[] Of(StoredTensor tensor) => Read(tensor, 0, tensor.Bytes);

    /// <summary>Entry <paramref name="entry"/> of the first axis.</summary>
    public static byte[] Of(StoredTensor tensor, long entry)
    {
        var bytes = tensor.Bytes / tensor.Shape[0];
        return Read(tensor, entry * bytes, bytes);
    }

    private static byte[] Read(StoredTensor tensor, long offset, long count)
    {
        var bytes = new byte[count];
        tensor.Read(offset, bytes);
        return bytes;
    }
}
