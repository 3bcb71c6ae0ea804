using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

/// <summary>The shapes under config/models.</summary>
internal static class ModelShapes
{
    public static string Folder => Path.Combine(Shared.RepositoryRoot, "config", "models");

    public static IEnumerable<string> Names => Directory.GetFiles(Folder, "*.json").Select(Path.GetFileNameWithoutExtension).Order()!;

    public static LlamaConfig Read(string name) => LlamaConfigReader.Read(File.ReadAllText(Path.Combine(Folder, name + ".json"))).Config;
}
