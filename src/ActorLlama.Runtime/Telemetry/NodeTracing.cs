using System.Diagnostics;

namespace ActorLlama.Runtime.Telemetry;

/// <summary>
/// Spans of batches, layers and expert calls. A batch is the root: its scheduler's listener decides whether it is sampled; everything below follows it, on whatever node, by the
/// trace parent that travels with the batch. A batch that is not sampled costs a null check.
/// </summary>
internal static class NodeTracing
{
    /// <summary>The name of the meter and of the source of activities.</summary>
    public const string Scope = "ActorLlama";

    private static readonly ActivitySource s_source = new(Scope);

    public static bool IsOn => s_source.HasListeners();

    /// <summary>Null when it is not sampled. Actors have no ambient activity: the parent is named, and none is left behind.</summary>
    public static Activity? Start(string name, ActivityContext parent)
    {
        var before = Activity.Current;
        try
        {
            Activity.Current = null;
            return s_source.StartActivity(name, ActivityKind.Internal, parent);
        }
        finally
        {
            Activity.Current = before;
        }
    }

    public static void End(Activity? span, string? error)
    {
        if (span is null) return;
        if (error is not null) span.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error);
        span.Dispose();
    }

    /// <summary>What of a batch travels to its stages; null: it is not sampled.</summary>
    public static string? Parent(Activity? span) => span is { Recorded: true } ? span.Id : null;

    public static ActivityContext? Context(string? parent) =>
        parent is not null && ActivityContext.TryParse(parent, null, isRemote: true, out var context) ? context : null;
}
