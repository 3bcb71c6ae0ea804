using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Akka's log, one line an event, to standard error: standard output belongs to the program's answers. Of refused connections not every one is told (<see cref="RefusalLog"/>).</summary>
public sealed class StandardErrorLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    private readonly bool _isJson = Context.System.Settings.Config.GetString("actorllama.telemetry.log-format", "text") == "json";
    private readonly RefusalLog _refusals = new();

    public StandardErrorLogger()
    {
        Receive<LogEvent>(Write);
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
    }

    private void Write(LogEvent e)
    {
        if (_refusals.Take(e, e.Timestamp) is not { } held) return;
        Console.Error.WriteLine(_isJson ? LogLine.Json(e, held) : LogLine.Text(e, held));
        if (!_isJson && e.Cause?.StackTrace is not null && e.LogLevel() >= LogLevel.ErrorLevel) Console.Error.WriteLine(e.Cause.StackTrace);
    }
}
