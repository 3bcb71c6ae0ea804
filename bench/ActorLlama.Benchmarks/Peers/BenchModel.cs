using ActorLlama.Checkpoints;
using ActorLlama.Cli;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>One model of random weights for both programs: packed for ours, GGUF for the other. Made once, kept in a folder.</summary>
/// <param name="Packed">Our checkpoint.</param>
/// <param name="Gguf">The other's file; the same bfloat16 weights.</param>
internal sealed record BenchModel(string Packed, string Gguf)
{
    private const ulong Seed = 1;

    /// <summary>Makes what is missing. Files that are there are whole: each is written under another name first.</summary>
    public static BenchModel In(string cache, string shape)
    {
        var (made, packed, gguf) = (Path.Combine(cache, $"{shape}-made"), Path.Combine(cache, $"{shape}-packed"), Path.Combine(cache, $"{shape}-gguf"));
        if (!Directory.Exists(packed) || !Directory.Exists(gguf))
        {
            Directory.CreateDirectory(cache);
            Console.Error.WriteLine($"Making {shape} in {cache}.");
            if (!Directory.Exists(made)) CheckpointInitializer.Write(File.ReadAllText(ProgramFiles.Shape(shape)), Seed, made, shape);
            if (!Directory.Exists(packed)) CheckpointConverter.Run(made, packed, new ConversionOptions { Layout = LayoutNames.Unscanned, Panels = true });
            if (!Directory.Exists(gguf)) CheckpointConverter.Run(made, gguf, new ConversionOptions { Layout = LayoutNames.Gguf });
            Directory.Delete(made, recursive: true);
        }
        return new BenchModel(packed, Path.Combine(gguf, "model.gguf"));
    }
}
