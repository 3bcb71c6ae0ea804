using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Microsoft.Win32.SafeHandles;

namespace ActorLlama.Cli;

/// <summary>Reads messages and streams answers, in a terminal or through pipes, until "/quit", the end of input or <paramref name="ended"/>.</summary>
internal sealed class ChatLoop(Attachment attachment, ChatState state, CancellationToken ended)
{
    private const int FewestColumns = 20;
    private readonly bool _interactive = Screen.IsInteractive;
    private ChatState _state = state;
    private GenerationStream? _answering;

    /// <summary>A failed answer is told and the dialog goes on; through a pipe it is thrown.</summary>
    public async Task RunAsync()
    {
        if (!_interactive)
        {
            await AnswerAllAsync(new PlainLines(Console.In, isTyped: false), history: null, watch: null);
            return;
        }

        var history = new HistoryFile(HistoryFile.DefaultPath);
        var (messages, fault) = history.Read();
        // Before the greeting: what is typed in answer to it belongs to the editor already.
        using var editor = Screen.CanMoveCursor ? new LineEditor(messages) : null;
        Greet(fault);
        IMessageSource source = editor is not null ? editor : new PlainLines(TypedLines(), isTyped: true);
        // While a message is typed in an editor Ctrl-C is a key; else it stops an answer and not the program.
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            if (Volatile.Read(ref _answering) is { } answering) answering.Cancel();
            else (source as PlainLines)?.Repeat();
        });
        await using var watch = new ClusterWatch(attachment.Connection, isLost => source.Notify(isLost
            ? $"The cluster at \"{attachment.Connection.Address}\" does not answer. The dialog is kept: /save writes it to a file."
            : "The cluster answers again."));
        await AnswerAllAsync(source, history, watch);
    }

    /// <summary>Lines as the terminal edits them: the library's own reader would edit them itself.</summary>
    private static StreamReader TypedLines() => new(
        new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 1), new UTF8Encoding(false));

    private void Greet(string? fault)
    {
        Screen.Dim(_state.IsChat
            ? $"{attachment.Model.Name}: chat. /help lists commands."
            : $"{attachment.Model.Name}: completes text. /help lists commands.");
        if (fault is not null) Screen.Dim(fault);
        if (Screen.Columns < FewestColumns)
            Screen.Dim($"The terminal has {Screen.Columns} columns; below {FewestColumns} little of a message is seen. Widen it.");
    }

    private async Task AnswerAllAsync(IMessageSource source, HistoryFile? history, ClusterWatch? watch)
    {
        while (!ended.IsCancellationRequested && await ReadAsync(source) is { } message)
        {
            if (string.IsNullOrWhiteSpace(message)) continue;
            if (history?.Add(message) is { } fault) Screen.Dim(fault);
            if (message.StartsWith('/'))
            {
                if (await RunCommandAsync(message)) return;
            }
            else if (watch is { IsLost: true })
                Screen.Fault($"The cluster at \"{attachment.Connection.Address}\" does not answer; the message was not sent.{(source is LineEditor ? " Press Up to have it again." : "")}");
            else await TryAnswerAsync(message);
        }
    }

    /// <summary>Reading blocks a thread; a request to end does not wait for it.</summary>
    private async Task<string?> ReadAsync(IMessageSource source)
    {
        try
        {
            return _interactive
                ? await Task.Factory.StartNew(source.Read, ended, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(ended)
                : source.Read();
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>True to end.</summary>
    private async Task<bool> RunCommandAsync(string line)
    {
        var step = _state.Run(line);
        _state = step.Next;
        if (step.Say is not null) Screen.Dim(step.Say);
        try
        {
            switch (step.Request)
            {
                case ChatState.Request.ShowCluster: await ShowAsync(status => Screen.Styled.Write(StatusTable.Of(status)), StatusTable.FewestColumns); break;
                case ChatState.Request.ShowExperts: await ShowAsync(ShowExperts, ExpertMap.FewestColumns); break;
                case ChatState.Request.Save: Save(step.Argument); break;
                case ChatState.Request.Load: Load(step.Argument); break;
                case ChatState.Request.Quit: return true;
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Screen.Fault(e.Message);
        }

        return false;
    }

    private async Task ShowAsync(Action<ClusterProtocol.Status> show, int fewestColumns)
    {
        if (Screen.Columns < fewestColumns) Screen.Fault($"The terminal has {Screen.Columns} columns; this needs {fewestColumns}. Widen it.");
        else if (await LocalCluster.TryGetStatusAsync(attachment.Connection, ended) is { } status) show(status);
        else Screen.Fault($"The cluster at \"{attachment.Connection.Address}\" does not answer.");
    }

    private static void ShowExperts(ClusterProtocol.Status status)
    {
        if (ExpertMap.Of(status) is { } map) map.Write(Screen.Styled, Screen.Columns);
        else Screen.Dim("The model has no routed experts.");
    }

    private void Save(string path)
    {
        DialogFile.Save(path, attachment.Model.Name, _state);
        Screen.Dim($"saved {_state.Dialog.Length} turns to \"{path}\"");
    }

    private void Load(string path)
    {
        _state = DialogFile.Load(path, _state);
        Screen.Dim($"loaded {_state.Dialog.Length} turns from \"{path}\"");
    }

    private async Task TryAnswerAsync(string message)
    {
        try
        {
            await AnswerAsync(message);
        }
        catch (GenerationFailedException e) when (_interactive)
        {
            Console.Out.WriteLine();
            Screen.Fault(e.Message);
        }
        finally
        {
            Volatile.Write(ref _answering, null);
        }
    }

    private async Task AnswerAsync(string message)
    {
        var clock = Stopwatch.StartNew();
        var stream = attachment.Connection.OpenSession(_state.RequestFor(message));
        Volatile.Write(ref _answering, stream);
        using var onEnd = ended.Register(stream.Cancel);
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
        _state = _state.Answered(message, text.ToString());
        if (_interactive && _state.ShowStats) Screen.Dim(Figures(result, first ?? clock.Elapsed));
    }

    private static string Figures(GenerationResult result, TimeSpan first) =>
        $"{result.Tokens.Length} tokens, {Rates.TokensPerSecond(result):0.0} tokens/s, first after {first.TotalMilliseconds:0} ms"
        + (result.Reason == FinishReason.Cancelled ? ", stopped" : result.Reason == FinishReason.Length ? ", cut at the limit" : "");

    private void Write(string part, StringBuilder text)
    {
        text.Append(part);
        Console.Out.Write(_interactive ? Screen.Safe(part) : part);
        Console.Out.Flush();
    }
}
