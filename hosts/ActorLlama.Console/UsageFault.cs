using System.Xml.Linq;
using ActorLlama.Planning;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>What the command-line library says about wrong usage, and what a person needs besides: the option concerned, the nearest name.</summary>
internal static class UsageFault
{
    /// <param name="args">The command line.</param>
    /// <param name="fault">The library's message.</param>
    /// <param name="app">Makes the program for a console, to be asked for its names.</param>
    public static string Explain(string[] args, string fault, Func<IAnsiConsole, CommandApp> app)
    {
        if (Quoted(fault, "Failed to convert '", "' to ") is { } value) return NoNumber(args, value);
        if (Quoted(fault, "Unknown command '", "'.") is { } verb) return Nearest(fault, verb, Within(args, app).Elements("Command").Select(c => Name(c, "Name")));
        return Quoted(fault, "Unknown option '", "'.") is { } option
            ? Nearest(fault, $"--{option}", Within(args, app).Elements("Parameters").Elements("Option").Select(o => $"--{Name(o, "Long")}"))
            : fault;
    }

    /// <summary>The library says which value is no number and not of which option.</summary>
    private static string NoNumber(string[] args, string value)
    {
        var at = Array.FindIndex(args, arg => arg == value || arg.EndsWith($"={value}", StringComparison.Ordinal));
        var option = at < 0 ? "an option" : args[at] == value ? args[Math.Max(0, at - 1)] : args[at][..^(value.Length + 1)];
        return $"\"{value}\" is no number that {option} takes.";
    }

    private static string Nearest(string fault, string given, IEnumerable<string> known) =>
        known.ToArray() is { Length: > 0 } names ? $"{fault} Did you mean {NearestName.Of(given, names)}?" : fault;

    /// <summary>The part of the program's own description that the first words of the command line name.</summary>
    private static XElement Within(string[] args, Func<IAnsiConsole, CommandApp> app)
    {
        using var description = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(description), Ansi = AnsiSupport.No });
        console.Profile.Width = int.MaxValue;
        app(console).Run(["cli", "xmldoc"]);
        var at = XElement.Parse(description.ToString());
        foreach (var word in args)
            if (at.Elements("Command").FirstOrDefault(c => Name(c, "Name") == word) is { } named) at = named;
            else break;
        return at;
    }

    private static string Name(XElement element, string attribute) => element.Attribute(attribute)?.Value ?? "";

    private static string? Quoted(string fault, string begin, string end)
    {
        var last = fault.LastIndexOf(end, StringComparison.Ordinal);
        return fault.StartsWith(begin, StringComparison.Ordinal) && last >= begin.Length ? fault[begin.Length..last] : null;
    }
}
