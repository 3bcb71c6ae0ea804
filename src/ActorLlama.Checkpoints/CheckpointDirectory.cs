using System.Text.Json;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Opens checkpoints in any layout (spec 3.1 to 3.4): Hugging Face's, Meta's, or our unscanned and scanned ones.</summary>
public static class CheckpointDirectory
{
    internal const string ConfigFile = "config.json";
    private const string TokenizerFile = "tokenizer.model";
    private const string TokenizerJsonFile = "tokenizer.json";

    /// <summary>
    /// Checks everything but the weights' values: each parameter is there with its shape and dtype, each file is whole. Reads headers
    /// and the first 4 KiB of each tensor and expert, nothing else.
    /// </summary>
    /// <exception cref="FileNotFoundException">A file or the folder is missing.</exception>
    /// <exception cref="InvalidDataException">A file is broken; one line names file, tensor, value and rule.</exception>
    public static Checkpoint Open(string path)
    {
        if (File.Exists(path))
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} is a file; a checkpoint is a folder. Name the folder that holds it.");
        if (!Directory.Exists(path))
            throw new FileNotFoundException($"Checkpoint: folder {Quote(path)} does not exist. Correct the path.", path);
        if (File.Exists(Path.Combine(path, PartialFolder.JournalFile)))
            throw new InvalidDataException(
                $"Checkpoint: {Quote(path)} is what an unfinished conversion or save left. Convert again, with --resume to go on where it ended, or save again.");
        var (configJson, reading, layout) = OpenedLayout.Open(path);
        try
        {
            var defaults = GenerationDefaults.Read(path);
            var isInstruct = HasChatTemplate(path);
            var tensors = ParameterBinding.Bind(reading.Config, layout);
            var digest = CheckpointIdentity.Of(path, reading.Config, tensors);
            layout.Map();
            return new Checkpoint(path, layout, tensors)
            {
                ConfigJson = configJson,
                Config = reading.Config,
                Digest = digest,
                GenerationDefaults = defaults,
                IsInstruct = isInstruct,
                // tokenizer.model wins where both exist.
                TokenizerPath = Array.Find([Path.Combine(path, TokenizerFile), Path.Combine(path, TokenizerJsonFile)], File.Exists),
                Warnings = reading.Warnings,
            };
        }
        catch
        {
            layout.Dispose();
            throw;
        }
    }

    /// <summary>A folder of which only <c>config.json</c> is read: a model's shape without weights.</summary>
    /// <exception cref="IOException">The file is missing.</exception>
    /// <exception cref="InvalidDataException">It describes no model.</exception>
    public static Checkpoint OpenConfig(string path)
    {
        var file = Path.Combine(path, ConfigFile);
        if (!File.Exists(file)) throw new FileNotFoundException($"Checkpoint: folder {Quote(path)} has no {Quote(ConfigFile)}. Correct the path.", file);
        var json = JsonFile.ReadText(file);
        var reading = LlamaConfigReader.Read(json, file);
        return new Checkpoint(path, new NoWeights(), [])
        {
            ConfigJson = json,
            Config = reading.Config,
            Digest = CheckpointIdentity.Of(path, reading.Config, []),
            GenerationDefaults = GenerationDefaults.Read(path),
            IsInstruct = false,
            TokenizerPath = null,
            Warnings = reading.Warnings,
        };
    }

    internal static ConfigReading ReadConfig(string path)
    {
        var file = Path.Combine(path, ConfigFile);
        return LlamaConfigReader.Read(JsonFile.ReadText(file), file);
    }

    private static bool HasChatTemplate(string path)
    {
        if (File.Exists(Path.Combine(path, "chat_template.jinja")) || File.Exists(Path.Combine(path, "chat_template.json"))) return true;
        var file = Path.Combine(path, "tokenizer_config.json");
        if (!File.Exists(file)) return false;
        using var document = JsonFile.ReadObject(file);
        return document.RootElement.TryGetProperty("chat_template", out var template)
            && template.ValueKind switch
            {
                JsonValueKind.String => template.GetString()!.Length > 0,
                JsonValueKind.Array => template.GetArrayLength() > 0,
                JsonValueKind.Null => false,
                _ => throw new InvalidDataException(
                    $"Checkpoint: \"chat_template\" in {Quote(file)} is neither text nor a list. Download the file again."),
            };
    }
}
