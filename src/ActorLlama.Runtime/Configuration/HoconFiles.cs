using System.Reflection;
using ActorLlama.Planning;
using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Puts the layers of settings together: the built-in reference, a file over it, <c>key=value</c> arguments over both.</summary>
public static class HoconFiles
{
    private const string Root = "actorllama";

    /// <summary>All settings with their defaults.</summary>
    public static Config Reference { get; } = ReadReference();

    /// <summary>Throws <see cref="InvalidDataException"/> for a file that is no HOCON, a key that does not exist, an argument that is no pair.</summary>
    public static Config Load(string? file, IEnumerable<string> overrides)
    {
        var own = file is null ? Config.Empty : ParseFile(file);
        foreach (var pair in overrides) own = ParseOverride(pair).SafeWithFallback(own);
        RejectUnknownKeys(own, file);
        return own.SafeWithFallback(Reference);
    }

    private static Config ParseFile(string file)
    {
        if (!File.Exists(file))
            throw new InvalidDataException($"Settings: file \"{file}\" does not exist. Name one of config/*.conf or your own.");
        return Parse(File.ReadAllText(file), $"file \"{file}\"");
    }

    private static Config ParseOverride(string pair)
    {
        var at = pair.IndexOf('=');
        if (at <= 0) throw new InvalidDataException($"Settings: argument \"{pair}\" is not key=value.");
        var (key, value) = (pair[..at].Trim(), pair[(at + 1)..].Trim());
        var literal = IsPlainList(value)
            ? $"[{string.Join(", ", value[1..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Literal))}]"
            : Literal(value);
        return Parse($"{key} = {literal}", $"argument \"{pair}\"");
    }

    /// <summary>A list such as [cpu:0, cuda:0], as a shell leaves it: its items need quotes as single values do.</summary>
    private static bool IsPlainList(string value) => value.StartsWith('[') && value.EndsWith(']') && value.AsSpan(1).IndexOfAny("[{\"") < 0;

    private static string Literal(string value) =>
        value.Length == 0 || (value[0] is not ('[' or '{' or '"') && value.Any(c => !char.IsLetterOrDigit(c) && c is not ('.' or '-')))
            ? $"\"{value.Replace("\\", "\\\\").Replace("\"", "\\\"")}\""
            : value;

    private static Config Parse(string hocon, string what)
    {
        try
        {
            return Unclosed(hocon) is { } bracket
                ? throw new FormatException($"a '{bracket}' has no counterpart")
                : ConfigurationFactory.ParseString(hocon);
        }
        catch (Exception e) when (e is ConfigurationException or FormatException)
        {
            throw new InvalidDataException($"Settings: {what} is not valid HOCON: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>A bracket without its counterpart, or null: the parser lets a file that was cut off pass.</summary>
    private static char? Unclosed(string hocon)
    {
        var open = new Stack<char>();
        foreach (var line in hocon.Split('\n'))
        {
            var isText = false;
            for (var i = 0; i < line.Length; i++)
            {
                if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) isText = !isText;
                if (isText) continue;
                if (line[i] == '#' || (line[i] == '/' && i + 1 < line.Length && line[i + 1] == '/')) break;
                if (line[i] is '{' or '[') open.Push(line[i]);
                if (line[i] is '}' or ']' && (!open.TryPop(out var opened) || opened != (line[i] == '}' ? '{' : '['))) return line[i];
            }

            if (isText) return '"';
        }

        return open.TryPop(out var left) ? left : null;
    }

    private static void RejectUnknownKeys(Config own, string? file)
    {
        if (own.IsEmpty || !own.HasPath(Root)) return;
        var known = Keys(Reference.GetValue(Root), Root).ToHashSet();
        foreach (var key in Keys(own.GetValue(Root), Root))
        {
            if (known.Contains(key)) continue;
            var nearest = NearestName.Of(key, known);
            throw new InvalidDataException(
                $"Settings: key \"{key}\"{(file is null ? "" : $" in \"{file}\" or the arguments")} does not exist. Did you mean \"{nearest}\"?");
        }
    }

    private static IEnumerable<string> Keys(HoconValue value, string path)
    {
        if (!value.IsObject()) return [path];
        return value.GetObject().Items.SelectMany(item => Keys(item.Value, $"{path}.{item.Key}")).Append(path);
    }

    private static Config ReadReference()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("reference.conf")
            ?? throw new InvalidOperationException("Settings: reference.conf is not embedded in the runtime.");
        using var reader = new StreamReader(stream);
        return ConfigurationFactory.ParseString(reader.ReadToEnd());
    }
}
