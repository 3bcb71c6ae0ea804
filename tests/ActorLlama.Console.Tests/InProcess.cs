using Spectre.Console;

namespace ActorLlama.Cli.Tests;

/// <summary>The real command line in the tests' own process: everything but the start of a process. Tests run one at a time, so the streams are theirs.</summary>
internal static class InProcess
{
    public static async Task<ProgramRun.Ended> RunAsync(string[] arguments, string input = "")
    {
        var (standardIn, standardOut, standardError, console) = (Console.In, Console.Out, Console.Error, AnsiConsole.Console);
        using var output = new StringWriter();
        using var error = new StringWriter();
        try
        {
            Console.SetIn(new StringReader(input));
            Console.SetOut(output);
            Console.SetError(error);
            AnsiConsole.Console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
            var exitCode = await CommandLine.RunAsync(arguments);
            return new ProgramRun.Ended(exitCode, output.ToString(), error.ToString());
        }
        finally
        {
            AnsiConsole.Console = console;
            Console.SetIn(standardIn);
            Console.SetOut(standardOut);
            Console.SetError(standardError);
        }
    }
}
