namespace ActorLlama.Model.Tests;

/// <summary>The backends that every test of the model runs on.</summary>
public static class Backends
{
    public const string Torch = "torch";

    public static string[] Names => [Torch];

    public static TheoryData<string> All => [.. Names];

    public static IBackend Create(string kind, LlamaConfig config, ActivationType activations = ActivationType.Float32) => kind switch
    {
        Torch => new TorchBackend(config, "cpu", activations),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such backend"),
    };
}
