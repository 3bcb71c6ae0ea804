using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// Turns a checkpoint of any layout into one of any other. The target appears whole or not at all; a conversion that was cut off leaves a hidden folder
/// beside it, which a rerun removes or, when asked to, goes on with. Memory use does not depend on the model.
/// </summary>
public static class CheckpointConverter
{
    /// <summary>What <see cref="Run"/> would write; writes nothing.</summary>
    /// <param name="from">A checkpoint.</param>
    /// <param name="options">What to make.</param>
    /// <param name="to">The folder to make; null when only the plan is wanted.</param>
    /// <exception cref="InvalidDataException">The source is broken, is not of the asserted shape, or cannot be laid out so, or the target is taken or has no room.</exception>
    public static ConversionPlan Plan(string from, ConversionOptions options, string? to = null)
    {
        if (to is not null) TargetFolder.RequireFree(TargetFolder.PathOf(to), to);
        using var source = CheckpointDirectory.Open(from);
        var plan = Plan(source, Weights(source, options), options);
        if (to is not null) TargetFolder.RequireRoom(TargetFolder.ExistingAbove(TargetFolder.PathOf(to)), to, plan.Bytes);
        return plan;
    }

    /// <summary>
    /// Converts. When it fails, nothing it wrote is left, unless it was asked to resume: then finished files stay. When it is cancelled or killed, they stay too.
    /// </summary>
    /// <param name="from">A checkpoint; it is only read.</param>
    /// <param name="to">The folder to make; it does not exist yet or is empty.</param>
    /// <param name="options">What to make.</param>
    /// <param name="cancellation">Stops the conversion.</param>
    /// <exception cref="InvalidDataException">The source is broken, or the target cannot be written.</exception>
    public static void Run(string from, string to, ConversionOptions options, CancellationToken cancellation = default)
    {
        var target = TargetFolder.PathOf(to);
        TargetFolder.RequireFree(target, to);
        using var source = CheckpointDirectory.Open(from);
        var weights = Weights(source, options);
        var plan = Plan(source, weights, options);
        var parent = Path.GetDirectoryName(target) ?? target;
        TargetFolder.Make(parent, to);
        using var folder = PartialFolder.Take(target, to, DescriptionOf(plan, options), options.Resume);
        try
        {
            TargetFolder.RequireRoom(parent, to, plan.Bytes - folder.Files.Sum(name => LengthOf(folder, name)));
            var states = weights.Write(folder.Path, cancellation);
            WriteOthers(source, folder.Path, options);
            // Those of an earlier run, and the small ones.
            var others = folder.Files.Where(name => name != Manifest.FileName && !states.ContainsKey(name)).ToList();
            var tally = new WriteTally(others.Sum(name => LengthOf(folder, name)), options.Hashing);
            foreach (var (name, state) in FileHashes.Of(folder.Path, others, options.Threads ?? Environment.ProcessorCount, tally.Add, cancellation)) states.Add(name, state);
            DurableFile.WriteText(Path.Combine(folder.Path, Manifest.FileName), new Manifest(options.Layout, 0, source.Digest, states) { Panels = options.Panels ? Manifest.OwnPanels : null }.ToJson());
            folder.BecomeTarget(target, isCheckpoint: options.Layout != LayoutNames.Gguf);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            if (!options.Resume) folder.Remove();
            if (fault is not (IOException or UnauthorizedAccessException)) throw;
            throw new InvalidDataException(
                $"Convert: {Quote(to)} cannot be written: {fault.Message.ReplaceLineEndings(" ")} "
                + (options.Resume ? "What is finished stays: mend that and resume." : "Nothing of it is left: mend that and convert again."), fault);
        }
    }

    private static long LengthOf(PartialFolder folder, string name) => new FileInfo(Path.Combine(folder.Path, name)).Length;

    /// <summary>Equal for conversions that write equal files.</summary>
    private static string DescriptionOf(ConversionPlan plan, ConversionOptions options) =>
        JsonSerializer.Serialize(new { plan.Digest, plan.ToLayout, options.Type, options.ShardBytes, options.MetaParts, options.Panels });

    private static TargetWeights Weights(Checkpoint source, ConversionOptions options)
    {
        if (!LayoutNames.Written.Contains(options.Layout))
            throw new InvalidDataException($"Convert: layout {Quote(options.Layout)} is unknown; it is one of {string.Join(", ", LayoutNames.Written.Select(Quote))}.");
        if (options.MetaParts < 1) throw new InvalidDataException($"Convert: --mp is {options.MetaParts}; it is at least 1.");
        if (options.ShardBytes < 1) throw new InvalidDataException($"Convert: --shard-size is {options.ShardBytes}; it is at least 1.");
        if (options.Panels && options.Layout != LayoutNames.Unscanned)
            throw new InvalidDataException($"Convert: --pack is for layout {Quote(LayoutNames.Unscanned)}, not {Quote(options.Layout)}. Leave one of them out.");
        if (options.Shape is { } shape) ShapeAssertion.Require(shape.Name, LlamaConfigReader.Read(shape.ConfigJson, shape.Name).Config, source);
        return new TargetWeights(source, IsMultimodal(source), options);
    }

    private static bool IsMultimodal(Checkpoint source) => LlamaConfigReader.Read(source.ConfigJson, source.Path).IsMultimodal;

    private static ConversionPlan Plan(Checkpoint source, TargetWeights weights, ConversionOptions options)
    {
        var others = new SortedSet<string>(CarriedFiles.Of(source.Path, options.Layout).Select(path => Path.GetFileName(path)!), StringComparer.Ordinal) { Manifest.FileName };
        others.UnionWith(options.Extras.Keys);
        if (options.Layout != LayoutNames.Gguf) others.Add(CheckpointDirectory.ConfigFile);
        if (weights.Files.Length > 1 && options.Layout != LayoutNames.Meta) others.Add(ShardSet.IndexFile);
        if (options.Layout == LayoutNames.Meta) others.Add(MetaShards.ParamsFile);
        return new ConversionPlan(source.Layout, options.Layout, source.Digest, weights.Files, [.. others]);
    }

    private static void WriteOthers(Checkpoint source, string folder, ConversionOptions options)
    {
        foreach (var path in CarriedFiles.Of(source.Path, options.Layout)) DurableFile.Copy(path, Path.Combine(folder, Path.GetFileName(path)));
        foreach (var (name, write) in options.Extras)
        {
            write(Path.Combine(folder, name));
            DurableFile.SyncFile(Path.Combine(folder, name));
        }
        if (options.Layout == LayoutNames.Meta)
            DurableFile.WriteText(Path.Combine(folder, MetaShards.ParamsFile), MetaParamsWriter.Of(source.Config, source.ConfigJson));
        if (options.Layout != LayoutNames.Gguf) DurableFile.WriteText(Path.Combine(folder, CheckpointDirectory.ConfigFile), ConfigOf(source, options));
        DurableFile.SyncFolder(folder);
    }

    /// <summary>The source's config, with the element type it is written in where that was chosen.</summary>
    private static string ConfigOf(Checkpoint source, ConversionOptions options)
    {
        if (options.Type is not { } type) return source.ConfigJson;
        var config = JsonNode.Parse(source.ConfigJson)!.AsObject();
        Set(config);
        if (config["text_config"] is JsonObject text) Set(text);
        return config.ToJsonString(JsonText.Indented);

        void Set(JsonObject section)
        {
            foreach (var key in (string[])["torch_dtype", "dtype"])
                if (section.ContainsKey(key)) section[key] = type == ElementType.Float32 ? "float32" : "bfloat16";
        }
    }
}
