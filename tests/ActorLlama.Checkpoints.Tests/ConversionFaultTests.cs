using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Conversions that cannot end well leave the source as it was and no half-written target.</summary>
public sealed class ConversionFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact]
    public void A_target_that_is_not_empty_is_refused_before_anything_is_written()
    {
        Directory.CreateDirectory(_folder.PathOf("target"));
        File.WriteAllText(_folder.PathOf("target", "mine.txt"), "x");
        var fault = Assert.Throws<InvalidDataException>(() => Convert(Shared.PathOf("fixtures/tiny-scout")));
        Assert.Contains("mine.txt", fault.Message);
        Assert.Equal([_folder.PathOf("target")], Directory.GetFileSystemEntries(_folder.Path));
    }

    [SharedTheory]
    [InlineData("config.json", "<html>", "web page (HTML)")]
    [InlineData("config.json", "{", "not JSON")]
    [InlineData("generation_config.json", "[]", "generation_config.json")]
    [InlineData("checkpoint.json", """{"format_version": 3}""", "format version \"3\"")]
    [InlineData("checkpoint.json", """{"layout": "meta"}""", "says that the layout is \"meta\", but the weights are in layout \"hf\"")]
    [InlineData("consolidated.00.pth", "", "it holds one checkpoint")]
    public void A_broken_source_leaves_no_target(string file, string text, string what)
    {
        CopyOf("fixtures/tiny-scout");
        File.WriteAllText(_folder.PathOf("source", file), text);
        var fault = Assert.Throws<InvalidDataException>(() => Convert(_folder.PathOf("source")));
        Assert.Contains(what, fault.Message);
        Assert.Equal([_folder.PathOf("source")], Directory.GetFileSystemEntries(_folder.Path));
    }

    [SharedTheory]
    [InlineData("{\"dim\": 128}", "\"n_layers\"")]
    [InlineData("{\"dim\": \"128\"}", "\"dim\"")]
    [InlineData("<html>", "web page (HTML)")]
    [InlineData("[]", "no JSON object")]
    public void Broken_params_are_named(string text, string what)
    {
        CopyOf("fixtures/tiny-scout-meta");
        File.WriteAllText(_folder.PathOf("source", "params.json"), text);
        var fault = Assert.Throws<InvalidDataException>(() => Convert(_folder.PathOf("source")));
        Assert.Contains(what, fault.Message);
        Assert.Contains("params.json", fault.Message);
    }

    [SharedFact]
    public void Params_without_shards_and_shards_without_params_are_named()
    {
        CopyOf("fixtures/tiny-scout-meta");
        File.Delete(_folder.PathOf("source", "params.json"));
        Assert.Contains("\"params.json\"", Assert.Throws<FileNotFoundException>(() => Convert(_folder.PathOf("source"))).Message);
        Directory.Delete(_folder.PathOf("source"), recursive: true);
        Directory.CreateDirectory(_folder.PathOf("source"));
        File.WriteAllText(_folder.PathOf("source", "params.json"), "{}");
        Assert.Contains("consolidated.00.pth", Assert.Throws<FileNotFoundException>(() => Convert(_folder.PathOf("source"))).Message);
    }

    [SharedFact]
    public void A_params_file_nested_under_model_is_read()
    {
        CopyOf("fixtures/tiny-maverick-meta");
        var path = _folder.PathOf("source", "params.json");
        File.WriteAllText(path, $$"""{"model": {{File.ReadAllText(path)}}, "unknown": 1}""");
        using var nested = CheckpointDirectory.Open(_folder.PathOf("source"));
        using var flat = CheckpointDirectory.Open(Shared.PathOf("fixtures/tiny-maverick-meta"));
        Assert.Equal(flat.Digest, nested.Digest);
    }

    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Files_of_nobody_knows_which_conversion_are_not_used(bool resume)
    {
        Directory.CreateDirectory(_folder.PathOf(".target.partial"));
        File.WriteAllText(_folder.PathOf(".target.partial", "tokenizer.model"), "of another model");
        CheckpointConverter.Run(Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("target"), new ConversionOptions { Layout = LayoutNames.Unscanned, Resume = resume });
        Assert.False(File.Exists(_folder.PathOf("target", "tokenizer.model")));
        Assert.Equal([_folder.PathOf("target")], Directory.GetFileSystemEntries(_folder.Path));
    }

    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_folder_that_another_conversion_writes_is_left_alone(bool resume)
    {
        Directory.CreateDirectory(_folder.PathOf(".target.partial"));
        File.WriteAllText(_folder.PathOf(".target.partial", "model.safetensors"), "its own");
        using var held = new FileStream(_folder.PathOf(".target.partial", PartialFolder.JournalFile), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        var fault = Assert.Throws<InvalidDataException>(() => CheckpointConverter.Run(
            Shared.PathOf("fixtures/tiny-scout"), _folder.PathOf("target"), new ConversionOptions { Layout = LayoutNames.Unscanned, Resume = resume }));
        Assert.Contains("in use by another conversion", fault.Message);
        Assert.Equal("its own", File.ReadAllText(_folder.PathOf(".target.partial", "model.safetensors")));
    }

    private void Convert(string from) => CheckpointConverter.Run(from, _folder.PathOf("target"), new ConversionOptions { Layout = LayoutNames.Unscanned });

    private void CopyOf(string shared)
    {
        Directory.CreateDirectory(_folder.PathOf("source"));
        foreach (var file in Directory.GetFiles(Shared.PathOf(shared)))
            File.WriteAllBytes(_folder.PathOf("source", Path.GetFileName(file)), File.ReadAllBytes(file));
    }
}
