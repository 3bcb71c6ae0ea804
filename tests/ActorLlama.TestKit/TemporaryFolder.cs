namespace ActorLlama.TestKit;

/// <summary>An empty folder of one test, deleted with everything in it when disposed.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("actorllama-").FullName;

    public string Path { get; }

    /// <summary>The path of an entry of the folder.</summary>
    public string PathOf(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
