using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Akka's log, one line an event, to standard error: standard output belongs to the program's answers.</summary>
public sealed class StandardErrorLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    private readonly bool _isJson = Context.System.Settings.Config.GetString("actorllama.telemetry.log-format", "text") == "json";

    public StandardErrorLogger()
    {
        Receive<LogEvent>(Write);
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
    }

    private void Write(LogEvent e)
    {
        Console.Error.WriteLine(_isJson ? LogLine.Json(e) : LogLine.Text(e));
        if (!_isJson && e.Cause is not null && e.LogLevel() >= LogLevel.ErrorLevel) Console.Error.WriteLine(e.Cause.StackTrace);
    }
}
