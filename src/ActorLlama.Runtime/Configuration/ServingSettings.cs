using ActorLlama.Planning.Batching;
using ActorLlama.Planning.Routing;
using ActorLlama.Planning.Sessions;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Binds the bounds of scheduling, sessions and expert calls.</summary>
internal static class ServingSettings
{
    public static SchedulerOptions Scheduler(Setting setting)
    {
        const string root = "actorllama.scheduler.";
        return Checked(setting, root, new SchedulerOptions
        {
            MaxSequences = setting.Number(root + "max-sequences", 1, 1 << 20),
            MaxWaiting = setting.Number(root + "max-waiting", 0, 1 << 20),
            TokenBudget = setting.Number(root + "token-budget", 1, 1 << 20),
            PrefillChunk = setting.Number(root + "prefill-chunk", 1, 1 << 20),
            MaxBatchesInFlight = setting.Number(root + "batches-in-flight", 1, 1024),
            BatchDeadlineMs = Ms(setting, root + "batch-deadline"),
            BatchLimitMs = Ms(setting, root + "batch-limit"),
            MaxAttempts = setting.Number(root + "batch-attempts", 1, 100),
            RenewalMs = Ms(setting, root + "renewal"),
            PriorityStepMs = Ms(setting, root + "priority-step"),
            SharesPrefixes = setting.Flag(root + "prefix-sharing"),
        }, o => o.Faults());
    }

    public static SessionOptions Session(Setting setting)
    {
        const string root = "actorllama.session.";
        return Checked(setting, root, new SessionOptions
        {
            FailAfterMs = Ms(setting, root + "fail-after"),
            StallMs = Ms(setting, root + "stall-after"),
            ResendMs = Ms(setting, root + "resend-after"),
            StreamMs = Ms(setting, root + "stream-interval"),
            ClientTimeoutMs = Ms(setting, root + "client-timeout"),
            LingerMs = Ms(setting, root + "linger"),
            MaxTokens = setting.Number(root + "max-tokens", 0, int.MaxValue) is > 0 and var tokens ? tokens : int.MaxValue,
            MaxDurationMs = Ms(setting, root + "max-duration"),
        }, o => o.Faults());
    }

    public static ExpertCallOptions ExpertCalls(Setting setting)
    {
        const string root = "actorllama.experts.";
        return Checked(setting, root, new ExpertCallOptions
        {
            CallDeadlineMs = Ms(setting, root + "call-deadline"),
            MaxSends = setting.Number(root + "call-attempts", 1, 1000),
            LayerDeadlineMs = Ms(setting, root + "layer-deadline"),
            WorkLimitMs = Ms(setting, root + "work-limit"),
            BusyMs = Ms(setting, root + "rest"),
        }, o => o.Faults());
    }

    private static T Checked<T>(Setting setting, string root, T options, Func<T, IEnumerable<string>> faults)
    {
        foreach (var fault in faults(options)) setting.Fault(root[..^1], fault);
        return options;
    }

    private static int Ms(Setting setting, string key) => (int)Math.Min(int.MaxValue, setting.Time(key).TotalMilliseconds);
}
