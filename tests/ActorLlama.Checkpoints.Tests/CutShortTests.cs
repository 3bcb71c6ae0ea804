using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>A file that can no longer be read while its weights are loaded, as of a disk that fails: an error, and no end of the process.</summary>
public sealed class CutShortTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedTheory]
    [InlineData(LayoutNames.HuggingFace, false, true)]
    [InlineData(LayoutNames.HuggingFace, false, false)]
    [InlineData(LayoutNames.Scanned, false, false)]
    [InlineData(LayoutNames.Unscanned, true, true)]
    [InlineData(LayoutNames.Unscanned, true, false)]
    public void Weights_that_cannot_be_read_are_an_error(string layout, bool panels, bool allowNaN)
    {
        var folder = _folder.PathOf("it");
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), folder, new ConversionOptions { Layout = layout, Panels = panels, Threads = 2 });
        using var checkpoint = CheckpointDirectory.Open(folder);
        var config = checkpoint.Config;
        using var backend = new CpuBackend(0, 2, ActivationType.Float32, config);
        foreach (var file in Directory.GetFiles(folder, "*.safetensors"))
            using (var cut = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)) cut.SetLength(1 << 12);
        var loading = new WeightLoading(allowNaN);
        Fails(() => ExpertGroup.Load(backend, config, 0, config.Experts, checkpoint, loading).Dispose());
        Fails(() => TrunkStage.Load(backend, config, LayerRange.All(config), checkpoint, loading).Dispose());
    }

    private static void Fails(Action load)
    {
        // Of several threads', as the node takes it.
        var fault = Assert.ThrowsAny<Exception>(load).GetBaseException();
        Assert.True(fault is IOException or InvalidDataException, fault.ToString());
    }
}
