using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>Reads lines and streams answers, in a terminal or through pipes.</summary>
internal sealed class ChatLoop(Attachment attachment, ChatState state, CancellationToken ended)
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(5);
    private readonly bool _interactive = !Console.IsInputRedirected && !Console.IsOutputRedirected;
    private readonly LineEditor _editor = new();
    private ChatState _state = state;

    /// <summary>Until "/quit" or the end of input. A failed answer is told and the dialog goes on; through a pipe it is thrown.</summary>
    public async Task RunAsync()
    {
        if (_interactive) Dim(_state.IsChat
            ? $"{attachment.Model.Name}: chat. /help lists commands."
            : $"{attachment.Model.Name}: completes text. /help lists commands.");
        while (!ended.IsCancellationRequested && ReadLine() is { } line)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (line.StartsWith('/'))
            {
                if (await RunCommandAsync(line)) return;
                continue;
            }

            try
            {
                await AnswerAsync(line);
            }
            catch (GenerationFailedException e) when (_interactive)
            {
                Terminal.Error.MarkupLineInterpolated($"[red]error: {e.Message}[/]");
            }
        }
    }

    private string? ReadLine() => _interactive ? _editor.ReadLine() : Console.In.ReadLine();

    /// <summary>True to end.</summary>
    private async Task<bool> RunCommandAsync(string line)
    {
        var step = _state.Run(line);
        _state = step.Next;
        if (step.Say is not null) Dim(step.Say);
        if (step.Request == ChatState.Request.ShowCluster)
        {
            if (await LocalCluster.TryGetStatusAsync(attachment.Connection, ended) is { } status) Terminal.Out.Write(StatusTable.Of(status));
            else Dim($"no answer within {s_answer.TotalSeconds:0} s");
        }

        return step.Request == ChatState.Request.Quit;
    }

    private async Task AnswerAsync(string line)
    {
        var clock = Stopwatch.StartNew();
        var stream = attachment.Connection.OpenSession(_state.RequestFor(line));
        using var onEnd = ended.Register(stream.Cancel);
        // Ctrl-C stops this answer and not the program.
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            stream.Cancel();
        });
        var text = new StringBuilder();
        TimeSpan? first = null;
        await foreach (var token in stream)
        {
            first ??= clock.Elapsed;
            Write(token.Text, text);
        }

        var result = await stream.Completion;
        Write(result.TailText, text);
        Console.Out.WriteLine();
        _state = _state.Answered(line, text.ToString());
        if (_interactive && _state.ShowStats) Dim(Figures(result, first ?? clock.Elapsed));
    }

    private static string Figures(GenerationResult result, TimeSpan first) =>
        $"{result.Tokens.Length} tokens, {Rates.TokensPerSecond(result):0.0} tokens/s, first after {first.TotalMilliseconds:0} ms"
        + (result.Reason == FinishReason.Cancelled ? ", stopped" : result.Reason == FinishReason.Length ? ", cut at the limit" : "");

    private static void Write(string part, StringBuilder text)
    {
        text.Append(part);
        Console.Out.Write(part);
        Console.Out.Flush();
    }

    private static void Dim(string text) => Terminal.Out.MarkupLineInterpolated($"[dim]{text}[/]");
}
