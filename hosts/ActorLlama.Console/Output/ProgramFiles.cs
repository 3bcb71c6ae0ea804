using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;

namespace ActorLlama.Cli;

/// <summary>Files that ship with the program: <c>config/</c>, beside it or in a folder above it.</summary>
internal static class ProgramFiles
{
    /// <summary>The full path of a file under <c>config/</c>, or null.</summary>
    public static string? FindConfig(params string[] parts)
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var path = Path.Combine([at.FullName, "config", .. parts]);
            if (File.Exists(path)) return path;
        }

        return null;
    }

    /// <summary>The full path of <c>config/NAME</c>. Throws <see cref="FileNotFoundException"/> when it is nowhere.</summary>
    public static string Config(string name) => FindConfig(name) ?? throw new FileNotFoundException(
        $"Settings: \"config/{name}\" is neither beside the program nor above it. Keep the config folder with the program.");

    /// <summary>The folder of the sample model, <c>models/bard</c>: of the current folder, or in a folder above the program.</summary>
    public static string SampleModel()
    {
        const string relative = "models/bard";
        if (Directory.Exists(relative)) return relative;
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (Directory.Exists(Path.Combine(at.FullName, relative))) return Path.Combine(at.FullName, relative);
        throw new InvalidDataException($"Model: folder \"{relative}\" does not exist. Name a checkpoint folder with --model.");
    }

    /// <summary>The file of a model shape: a name of <c>config/models</c>, or the path of a config.json. Throws <see cref="InvalidDataException"/>.</summary>
    public static string Shape(string name)
    {
        if (name.Length > 0 && name.IndexOfAny(['/', '\\']) < 0 && FindConfig("models", $"{name}.json") is { } shipped) return shipped;
        if (File.Exists(name)) return name;
        throw new InvalidDataException(
            $"Shape: \"{name}\" is neither a shape nor a file. Shapes are {string.Join(", ", ShapeNames().Select(n => $"\"{n}\""))}.");
    }

    /// <summary>Counts and bytes of the shape of that name or file, its weights bfloat16. Throws <see cref="InvalidDataException"/>.</summary>
    public static ModelShape ModelShape(string name, ActivationType activations)
    {
        var file = Shape(name);
        return ModelShapes.Of(Path.GetFileNameWithoutExtension(name), LlamaConfigReader.Read(File.ReadAllText(file), file).Config, ElementType.BFloat16, activations);
    }

    /// <summary>Names of the model shapes under <c>config/models</c>, sorted.</summary>
    public static IEnumerable<string> ShapeNames()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var folder = Path.Combine(at.FullName, "config", "models");
            if (Directory.Exists(folder))
                return Directory.EnumerateFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal);
        }

        return [];
    }
}
