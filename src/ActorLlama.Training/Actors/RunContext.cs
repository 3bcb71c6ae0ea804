using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Training.Runs;

namespace ActorLlama.Training.Actors;

/// <summary>What the actors of one run on one device share. Owns the backend.</summary>
internal sealed class RunContext : IDisposable
{
    /// <exception cref="InvalidDataException">The device cannot compute what the run asks for.</exception>
    public RunContext(RunSettings settings, DeviceId device)
    {
        (Settings, Device) = (settings, device);
        Config = LlamaConfigReader.Read(settings.ConfigJson, settings.RunName).Config;
        DeviceName = device.Name.StartsWith("cpu", StringComparison.Ordinal) ? "cpu" : device.Name;
        Backend = new TorchBackend(Config, DeviceName, settings.Options.Compute, settings.Options.Strategy);
        Chunks = new NormChunks(settings.Options.Pieces, Config.IsMoe.Contains(true) ? Config.Experts : 0);
        Clock.Restart(StepPhase.Waiting);
    }

    public RunSettings Settings { get; }

    public DeviceId Device { get; }

    public LlamaConfig Config { get; }

    public TorchBackend Backend { get; }

    public string DeviceName { get; }

    public NormChunks Chunks { get; }

    public PhaseClock Clock { get; } = new();

    public int MoeLayers => Config.IsMoe.Count(isMoe => isMoe);

    /// <summary>The device's chunks under a plan, ascending.</summary>
    public IEnumerable<int> ChunksOf(TrainingPlan plan) =>
    [
        .. plan.PiecesOf(Device),
        .. plan.ExpertShardsOf(Device).SelectMany(shard =>
        {
            var (first, count) = Planning.Placement.ExpertShardRange.Of(shard, plan.ExpertShards.Length, Chunks.Experts);
            return Enumerable.Range(Chunks.Pieces + first, count);
        }),
    ];

    /// <summary>Bytes of weights, gradients and moments that a plan gives to the device, by the planner's formula.</summary>
    public long PlannedBytes(TrainingPlan plan)
    {
        var coordination = Settings.Coordination(Config);
        return TrainingBytes.Of(coordination.Shape, plan, coordination.PlanOptions, Device).State;
    }

    public void Dispose() => Backend.Dispose();
}
