using ActorLlama.Checkpoints;
using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

/// <summary>A checkpoint of the golden data with what the reference code made of it.</summary>
internal sealed class GoldenModel : IDisposable
{
    private GoldenModel(string folder, string expected)
    {
        Checkpoint = CheckpointDirectory.Open(folder);
        Expected = SafetensorsFixture.OpenFile(Path.Combine(folder, expected));
    }

    public const string Scout = "tiny-scout", Maverick = "tiny-maverick", Bard = "bard";

    public static IEnumerable<string> Names => [Scout, Maverick, Bard];

    public Checkpoint Checkpoint { get; }

    public LlamaConfig Config => Checkpoint.Config;

    public SafetensorsFixture Expected { get; }

    public static GoldenModel Open(string name) => name == Bard
        ? new(Shared.PathOf("data", "bard"), "golden.safetensors")
        : new(Shared.PathOf("fixtures", name), "expected.safetensors");

    public void Dispose() => Checkpoint.Dispose();
}
