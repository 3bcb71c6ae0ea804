using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>What is drawn for a person; plain text where the stream is no terminal.</summary>
internal static class Terminal
{
    /// <summary>Standard output.</summary>
    public static IAnsiConsole Out => AnsiConsole.Console;

    /// <summary>Standard error: for what must not mix with a result.</summary>
    public static IAnsiConsole Error => AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
}
