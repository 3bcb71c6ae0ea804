using System.Globalization;
using Akka.Actor;
using Akka.Dispatch;
using Akka.Event;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Akka's log, one line an event, to standard error: standard output belongs to the program's answers.</summary>
public sealed class StandardErrorLogger : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    public StandardErrorLogger()
    {
        Receive<LogEvent>(Write);
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
    }

    private static void Write(LogEvent e)
    {
        var cause = e.Cause is null ? "" : $": {e.Cause.GetType().Name}: {e.Cause.Message.ReplaceLineEndings(" ")}";
        var source = e.LogSource.Split(['[', '('], 2)[0].Split('/')[^1];
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{e.Timestamp.ToUniversalTime():HH:mm:ss.fff} {Level(e)} {source}: {e.Message}{cause}"));
        if (e.Cause is not null && e.LogLevel() >= LogLevel.ErrorLevel) Console.Error.WriteLine(e.Cause.StackTrace);
    }

    private static string Level(LogEvent e) => e.LogLevel() switch
    {
        LogLevel.DebugLevel => "debug",
        LogLevel.InfoLevel => "info",
        LogLevel.WarningLevel => "warn",
        _ => "error",
    };
}
