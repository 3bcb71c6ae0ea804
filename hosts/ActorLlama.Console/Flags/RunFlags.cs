using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Planning;

namespace ActorLlama.Cli;

/// <summary>MaxText's flags as they were given, each known and of its kind; what was not given has the table's default.</summary>
internal sealed class RunFlags
{
    private readonly ImmutableDictionary<string, string> _given;

    private RunFlags(ImmutableDictionary<string, string> given) => _given = given;

    public static RunFlags None { get; } = new(ImmutableDictionary.Create<string, string>(StringComparer.Ordinal));

    /// <summary>
    /// Reads <c>key=value</c> arguments. Throws <see cref="InvalidDataException"/> for one that is no pair, a name that is not known (with
    /// the nearest that is), a name given twice, and a value that is not of the flag's kind.
    /// </summary>
    public static RunFlags Parse(IEnumerable<string> arguments)
    {
        var given = None._given;
        foreach (var argument in arguments)
        {
            var at = argument.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0) throw new InvalidDataException($"Flags: \"{argument}\" is not key=value. A settings file is named first.");
            var (name, value) = (argument[..at], argument[(at + 1)..]);
            if (given.TryGetValue(name, out var first)) throw new InvalidDataException($"Flags: {name} is given twice, as \"{first}\" and as \"{value}\". Leave one out.");
            given = given.Add(name, Checked(name, value, ""));
        }

        return new(given);
    }

    /// <summary>These flags, and those of a file where these are silent. Throws as <see cref="Parse"/> does, naming the file.</summary>
    public RunFlags Over(IEnumerable<KeyValuePair<string, string>> file, string path) =>
        new(file.ToImmutableDictionary(pair => pair.Key, pair => Checked(pair.Key, pair.Value, $" in \"{path}\""), StringComparer.Ordinal).SetItems(_given));

    /// <summary>Whether the flag was given, even if as its default.</summary>
    public bool Has(string name) => _given.ContainsKey(name);

    /// <summary>Names of the flags that were given and mean nothing there, in the table's order.</summary>
    public IEnumerable<string> WithoutEffect(FlagUse verb) =>
        RunFlagTable.Flags.Where(flag => Has(flag.Name) && !flag.Use.HasFlag(verb)).Select(flag => flag.Name);

    public string Text(string name) => _given.GetValueOrDefault(name) ?? Known(name).Default;

    public int Whole(string name) => int.Parse(Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    public double Number(string name) => double.Parse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture);

    public bool Truth(string name) => bool.Parse(Text(name));

    private static RunFlag Known(string name) => RunFlagTable.Find(name) ?? throw new ArgumentException($"Flags: {name} is not in the table.", nameof(name));

    private static string Checked(string name, string value, string where)
    {
        var flag = RunFlagTable.Find(name)
            ?? throw new InvalidDataException($"Flags: \"{name}\"{where} is not known. Did you mean {NearestName.Of(name, RunFlagTable.Flags.Select(f => f.Name))}?");
        var rule = flag.Kind switch
        {
            FlagKind.Whole when !int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) => "a whole number",
            FlagKind.Number when !(double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)) => "a number",
            FlagKind.Truth when !bool.TryParse(value, out _) => "true or false",
            FlagKind.Words when !flag.Values.IsEmpty && !flag.Values.Contains(value) => $"one of {string.Join(", ", flag.Values)}",
            _ => null,
        };
        return rule is null ? value : throw new InvalidDataException($"Flags: {name} is \"{value}\"{where}; it is {rule}.");
    }
}
