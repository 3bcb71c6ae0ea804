using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>A run that is disturbed, on a cluster of three nodes for each seed.</summary>
internal sealed record TrainingChaosOptions
{
    public const int Nodes = 3;

    private static readonly ImmutableDictionary<string, TrainingChaosOptions> s_all = ImmutableDictionary<string, TrainingChaosOptions>.Empty
        .Add("train", new TrainingChaosOptions())
        .Add("train-partition", new TrainingChaosOptions { Hosts = true, Deeds = [(ChaosDeed.Cut, 8000)] });

    public int Steps { get; init; } = 30;

    /// <summary>Nodes that something happens to in one run: at least, and at most.</summary>
    public (int Least, int Most) Faults { get; init; } = (3, 5);

    /// <summary>Steps from when all nodes take part again until the next fault, at most; at least one.</summary>
    public int MostSteps { get; init; } = 3;

    public ImmutableArray<TrainingPhase> Phases { get; init; } = [.. Enum.GetValues<TrainingPhase>()];

    /// <summary>What is done.</summary>
    public ImmutableArray<(ChaosDeed Do, int ForMs)> Deeds { get; init; } = [(ChaosDeed.Kill, 0), (ChaosDeed.Freeze, 8000), (ChaosDeed.Freeze, 1000)];

    /// <summary>Each node has a host of its own: its network can be cut. Needs root.</summary>
    public bool Hosts { get; init; }

    /// <summary>Nodes and the command that trains have certificates of an authority made for the run.</summary>
    public bool Tls { get; init; }

    /// <summary>Tokens of each of the six sequences of a step: what a step costs.</summary>
    public int Tokens { get; init; } = 128;

    /// <summary>What happens in a seed's run, in order: each deed in each phase comes as often, over some seeds.</summary>
    public IEnumerable<(TrainingPhase Phase, ChaosDeed Do, int ForMs)> FaultsOf(int seed)
    {
        var all = (from phase in Phases from deed in Deeds select (phase, deed.Do, deed.ForMs)).ToArray();
        new Random(0).Shuffle(all);
        return Enumerable.Range(seed * Faults.Most, Faults.Most).Select(number => all[number % all.Length]);
    }

    /// <summary>The scenario of that name, or null.</summary>
    public static TrainingChaosOptions? Find(string name) => s_all.GetValueOrDefault(name);

    /// <summary>Flags of the run, but where it goes and how the batch is divided.</summary>
    public ImmutableArray<string> Flags =>
    [
        "model_name=tiny-maverick", "dataset_type=synthetic", $"max_target_length={Tokens}", $"steps={Steps}", "learning_rate=1e-2", "warmup_steps_fraction=0", "dtype=float32",
        "weight_dtype=float32", "load_balance_loss_weight=0.01", "ici_fsdp_parallelism=-1", "checkpoint_period=3",
    ];
}
