using System.Collections.Immutable;
using ActorLlama.Planning.Training;

namespace ActorLlama.Planning.Tests.Training;

/// <summary>A run's folder.</summary>
internal sealed class SimulatedStorage(SimulatedTraining world)
{
    private readonly Dictionary<string, ImmutableDictionary<int, ulong>> _files = [];
    private readonly Dictionary<string, (TrainingCheckpoint Checkpoint, ImmutableArray<ulong> Parts)> _checkpoints = [];
    private (long Epoch, int Coordinator) _claim;
    private bool _wasBegun;

    public bool HasDamage { get; private set; }

    public int Checkpoints => _checkpoints.Count;

    public void Write(string name, ImmutableDictionary<int, ulong> parts) => _files[name] = parts;

    /// <summary>A checkpoint's parts; null when it is damaged.</summary>
    public ImmutableArray<ulong>? Read(string folder) => _checkpoints.TryGetValue(folder, out var there) ? there.Parts : null;

    public ImmutableArray<ulong> Newest() => _checkpoints.Values.MaxBy(c => c.Checkpoint.State.StepsDone).Parts;

    /// <summary>The newest checkpoint can be read no more, though it is still listed.</summary>
    public void Damage()
    {
        if (_checkpoints.Count == 0) return;
        HasDamage = true;
        var (folder, newest) = _checkpoints.MaxBy(c => c.Value.Checkpoint.State.StepsDone);
        _checkpoints.Remove(folder);
        _checkpoints[folder + "-damaged"] = (newest.Checkpoint, newest.Parts);
    }

    public CoordinatorEvent Claim(int coordinator, long epoch)
    {
        if (_claim.Epoch > epoch || (_claim.Epoch == epoch && _claim.Coordinator != coordinator)) return new CoordinatorEvent.StorageFenced(_claim.Epoch);
        _claim = (epoch, coordinator);
        return new CoordinatorEvent.StorageRead(epoch, [.. _checkpoints.Values.Select(c => c.Checkpoint)], _wasBegun);
    }

    public void MarkBegun() => _wasBegun = true;

    public CoordinatorEvent Commit(int coordinator, CoordinatorEffect.WriteManifest manifest)
    {
        if (_claim.Coordinator != coordinator) return new CoordinatorEvent.StorageFenced(_claim.Epoch);
        if (world.Fails()) return new CoordinatorEvent.ManifestFailed(manifest.Save, "the disk is full");
        var all = manifest.Files.SelectMany(file => _files[file.Name]).ToDictionary(p => p.Key, p => p.Value);
        ImmutableArray<ulong> parts = [.. Enumerable.Range(0, world.Model.Parts).Select(part => all[part])];
        world.IsKnown(manifest.State.StepsDone, parts, $"checkpoint {manifest.Save}");
        var digest = $"{ToyModel.HashOf(parts):x16}";
        _checkpoints[manifest.Folder] = (new TrainingCheckpoint(manifest.State with { Origin = digest }, manifest.Folder), parts);
        return new CoordinatorEvent.ManifestWritten(manifest.Save, digest, manifest.Folder);
    }

    public void Abandon(string folder)
    {
        foreach (var file in _files.Keys.Where(name => name.StartsWith($"{folder}/", StringComparison.Ordinal)).ToList()) _files.Remove(file);
    }
}
