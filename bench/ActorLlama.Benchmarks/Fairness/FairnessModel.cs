using ActorLlama.Checkpoints;

namespace ActorLlama.Benchmarks.Fairness;

/// <summary>Random weights of a small shape whose context takes the long prompt, in a temporary folder that goes with this.</summary>
internal sealed class FairnessModel : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("actorllama-fairness-").FullName;

    public FairnessModel()
    {
        var shape = Path.Combine(AppContext.BaseDirectory, "Fairness", "shape.json");
        CheckpointInitializer.Write(File.ReadAllText(shape), seed: 1, Folder, shape);
    }

    public string Folder => Path.Combine(_parent, "model");

    public void Dispose() => Directory.Delete(_parent, recursive: true);
}
