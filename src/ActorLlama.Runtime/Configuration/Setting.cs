using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Planning.Placement;
using Akka.Configuration;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Reads single settings and collects every fault instead of stopping at the first.</summary>
internal sealed class Setting(Config config)
{
    private readonly List<string> _faults = [];

    public string Text(string key) => config.GetString(key) ?? "";

    public ImmutableArray<string> Texts(string key) => [.. config.GetStringList(key)];

    public int Number(string key, int min, int max)
    {
        var text = Text(key);
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max) return value;
        return Fault(key, text, $"a whole number from {min} to {max}", min);
    }

    public double Share(string key)
    {
        var text = Text(key);
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value <= 1
            ? value
            : Fault(key, text, "a number from 0 to 1", 0.0);
    }

    public bool Flag(string key) => Flag(key, Text(key));

    public bool Flag(string key, string text) => text switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        _ => Fault(key, text, "on or off", false),
    };

    public TimeSpan Time(string key)
    {
        var text = Text(key);
        try
        {
            var value = config.GetTimeSpan(key, null, allowInfinite: false);
            if (value > TimeSpan.Zero) return value;
        }
        catch (Exception e) when (e is FormatException or ConfigurationException or OverflowException)
        {
        }

        return Fault(key, text, "a time such as 500ms or 3s", TimeSpan.FromSeconds(1));
    }

    public long Bytes(string key, string text) => ByteText.Parse(text) ?? Fault(key, text, "a size such as 512MiB or 8GiB", 1L);

    public long Bytes(string key) => Bytes(key, Text(key));

    public T OneOf<T>(string key, string text, params (string Name, T Value)[] choices)
    {
        foreach (var (name, value) in choices)
            if (name == text) return value;
        return Fault(key, text, string.Join(" or ", choices.Select(c => $"\"{c.Name}\"")), choices[0].Value);
    }

    public T Fault<T>(string key, string found, string rule, T instead)
    {
        _faults.Add($"{key} is \"{found}\", not {rule}");
        return instead;
    }

    /// <summary>A rule that several settings of one section break together.</summary>
    public void Fault(string section, string sentence) => _faults.Add($"{section}: {sentence.TrimEnd('.')}");

    /// <summary>Throws one <see cref="InvalidDataException"/> naming every fault found.</summary>
    public void ThrowIfAny()
    {
        if (_faults.Count > 0) throw new InvalidDataException($"Settings: {string.Join("; ", _faults)}.");
    }
}
