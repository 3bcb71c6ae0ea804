using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class LinkedFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>As in Hugging Face's cache: snapshots/REVISION/NAME is a relative link to blobs/HASH, and here the folder is a link as well.</summary>
    [Fact]
    public void A_checkpoint_of_symbolic_links_opens_like_its_files()
    {
        var real = TinyShapes.WriteSharded(_folder.Path);
        var snapshot = Directory.CreateDirectory(_folder.PathOf("cache", "snapshots", "main")).FullName;
        var blobs = Directory.CreateDirectory(_folder.PathOf("cache", "blobs")).FullName;
        foreach (var file in Directory.GetFiles(real))
        {
            var blob = Guid.NewGuid().ToString("n");
            File.Copy(file, Path.Combine(blobs, blob));
            File.CreateSymbolicLink(Path.Combine(snapshot, Path.GetFileName(file)), Path.Combine("..", "..", "blobs", blob));
        }
        Directory.CreateSymbolicLink(_folder.PathOf("link"), snapshot);

        using var direct = CheckpointDirectory.Open(real);
        using var linked = CheckpointDirectory.Open(_folder.PathOf("link"));
        Assert.Equal(direct.Digest, linked.Digest);
        Assert.Equal(direct.Get(ParameterNames.Embed).Bytes, linked.Get(ParameterNames.Embed).Bytes);
    }
}
