using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Devices;
using ActorLlama.Training.Data;
using Akka.Actor;

namespace ActorLlama.Training.Actors;

/// <summary>One load of an owner's parts, and of the run's data if nobody has opened them here, on the device's loader thread. Owns what is loaded until the actor takes it.</summary>
internal sealed class PartsLoad : IDisposable
{
    private readonly Lock _lock = new();
    private (OwnedParts Parts, DataSet Data)? _loaded;
    private bool _isDisposed;

    private PartsLoad()
    {
    }

    /// <summary>It has ended: with parts to take, or with a fault. <paramref name="IsDamaged"/>: the checkpoint cannot be read.</summary>
    public sealed record Ended(PartsLoad Load, TrainingPlanId Plan, string? Fault, bool IsDamaged) : INoSerializationVerificationNeeded;

    /// <summary>Begins; ends with <see cref="Ended"/> to that actor.</summary>
    public static PartsLoad Start(DeviceLoader loader, IActorRef owner, RunContext run, OwnerEffect.Load load, DataSet? data)
    {
        var started = new PartsLoad();
        loader.Run(end => owner.Tell(started.Run(run, load, data, end)));
        return started;
    }

    /// <summary>What is loaded, the caller's from now on; null when there is nothing.</summary>
    public (OwnedParts Parts, DataSet Data)? Take()
    {
        lock (_lock)
        {
            (var loaded, _loaded) = (_loaded, null);
            return loaded;
        }
    }

    /// <summary>Nobody wants it any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _loaded?.Parts.Dispose();
            _loaded = null;
        }
    }

    private Ended Run(RunContext run, OwnerEffect.Load load, DataSet? data, CancellationToken end)
    {
        var isReading = false;
        try
        {
            lock (_lock) if (_isDisposed) return new Ended(this, load.Plan.Id, "it is not wanted any more", false);
            RunStorage.CheckShared(run.Settings);
            data ??= run.Settings.OpenData(run.Config, load.Plan.Slots.Length);
            isReading = load.Folder is not null;
            using var source = run.Settings.Open(run.Config, load.Folder);
            end.ThrowIfCancellationRequested();
            var parts = OwnedParts.Load(run, load.Plan, source);
            lock (_lock)
            {
                if (_isDisposed) parts.Dispose();
                else _loaded = (parts, data);
            }
            return new Ended(this, load.Plan.Id, null, false);
        }
        catch (Exception fault)
        {
            // Told to the owner, whose rules decide.
            return new Ended(this, load.Plan.Id, fault.Message, isReading && fault is InvalidDataException or FileNotFoundException);
        }
    }
}
