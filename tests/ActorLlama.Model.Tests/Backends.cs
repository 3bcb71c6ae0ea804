namespace ActorLlama.Model.Tests;

/// <summary>The backends that every test of the model runs on.</summary>
public static class Backends
{
    public const string Torch = "torch", Cpu = "cpu", Tiled = "torch, deterministic";

    public static string[] Names => [Torch, Tiled, Cpu];

    public static TheoryData<string> All => [.. Names];

    public static IBackend Create(string kind, LlamaConfig config, ActivationType activations = ActivationType.Float32) => kind switch
    {
        Cpu => new CpuBackend(0, threads: 2, activations, config),
        Torch => NewTorch(config, activations),
        Tiled => NewTorch(config, activations, deterministic: true),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such backend"),
    };

    private static TorchBackend NewTorch(LlamaConfig config, ActivationType activations, bool deterministic = false)
    {
        // Tests run beside each other: threads of libtorch would wait for cores that others use.
        TorchDevices.LimitThreads(1);
        return new TorchBackend(config, "cpu", activations, deterministic: deterministic);
    }
}
