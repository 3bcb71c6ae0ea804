using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Binds what a plan is asked for; 0 means that the planner chooses.</summary>
internal static class PlanSettings
{
    private const string Root = "actorllama.plan.";

    public static SupervisorOptions Read(Setting setting) => new(
        new PlanOptions(
            setting.Number(Root + "pipelines", 1, 4096),
            Chosen(setting.Number(Root + "stages", 0, 4096)),
            Chosen(setting.Number(Root + "expert-shards", 0, 4096)),
            setting.Number(Root + "replicas", 1, 64),
            setting.Number(Root + "kv-positions", 1, int.MaxValue),
            setting.Number(Root + "kv-sequences", 1, 1 << 20)),
        setting.Number(Root + "nodes", 1, 4096),
        (long)setting.Time(Root + "formation-timeout").TotalMilliseconds)
    {
        Serves = setting.Flag("actorllama.model.serve"),
        MaxReplicas = setting.Number(Root + "max-replicas", 0, 64),
        ReplicateEveryMs = setting.Text(Root + "replicate-every") is "never" ? null : (long)setting.Time(Root + "replicate-every").TotalMilliseconds,
    };

    private static int? Chosen(int number) => number == 0 ? null : number;
}
