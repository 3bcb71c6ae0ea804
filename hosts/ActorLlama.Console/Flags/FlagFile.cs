using ActorLlama.Runtime.Configuration;

namespace ActorLlama.Cli;

/// <summary>Flags in a settings file: its keys beside <c>actorllama</c> and <c>akka</c>, which are the nodes'.</summary>
internal static class FlagFile
{
    /// <summary>Throws <see cref="InvalidDataException"/> for a file that is not there or no HOCON, and for a flag that is no single value.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Read(string path)
    {
        foreach (var (name, value) in HoconFiles.Load(path, []).AsEnumerable())
        {
            if (name is "actorllama" or "akka") continue;
            if (value.IsObject() || value.IsArray()) throw new InvalidDataException($"Flags: {name} in \"{path}\" is a list or an object; a flag is one value.");
            yield return new(name, value.GetString() ?? "");
        }
    }
}
