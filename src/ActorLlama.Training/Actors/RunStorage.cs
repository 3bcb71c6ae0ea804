using System.Text.Json;
using ActorLlama.Checkpoints;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;
using ActorLlama.Training.Runs;
using Checkpointed = ActorLlama.Planning.Training.TrainingCheckpoint;
using Saved = ActorLlama.Checkpoints.TrainingCheckpoint;

namespace ActorLlama.Training.Actors;

/// <summary>
/// A run's folder as its coordinators use it: who has the run, what checkpoints there are, and how the owners' parts become one. Blocking: for threads of its own.
/// </summary>
/// <param name="settings">The run.</param>
/// <param name="run">The run's identity.</param>
/// <param name="coordinator">This coordinator's name, which no other has.</param>
/// <param name="mayHaveBegun">Steps may have been made by a coordinator before; told by the folder where there is one.</param>
internal sealed class RunStorage(RunSettings settings, string run, string coordinator, bool mayHaveBegun)
{
    private const string ClaimFile = "coordinator.json", BegunFile = "begun";

    private RunFolder? Folder { get; } = settings.Folder is { } path ? new RunFolder(path) : null;

    private sealed record Claim(long Epoch, string Coordinator);

    /// <summary>Where parts of a checkpoint are while it is none: a folder that nobody takes for one.</summary>
    public static string PartialOf(RunSettings settings, string folder) =>
        Path.Combine(new RunFolder(settings.Folder ?? throw new InvalidOperationException("Training: the run has no folder.")).Checkpoints, $".{folder}.partial");

    /// <summary>
    /// For a node that is to own parts of the run: what the coordinator has written into the run's folder must be there. Throws <see cref="InvalidDataException"/> where it is not.
    /// </summary>
    public static void CheckShared(RunSettings settings)
    {
        if (settings.Cadence.SavesCheckpoints && settings.Folder is { } folder && !File.Exists(Path.Combine(folder, ClaimFile)))
            throw new InvalidDataException(
                $"Training: the run's folder \"{folder}\" is not the one that its coordinator writes to; all nodes write checkpoints there together. Give a base_output_directory on storage that they share, or enable_checkpointing=false.");
    }

    /// <summary>Takes the run for this epoch, unless another coordinator has it in this or a higher one, and lists what is there.</summary>
    public CoordinatorEvent Take(long epoch)
    {
        if (Folder is null) return new CoordinatorEvent.StorageRead(epoch, [], mayHaveBegun);
        Directory.CreateDirectory(Folder.Checkpoints);
        if (ClaimNow() is { } claim && (claim.Epoch > epoch || (claim.Epoch == epoch && claim.Coordinator != coordinator)) && IsOfThisRun()) return new CoordinatorEvent.StorageFenced(claim.Epoch);
        Write(ClaimFile, JsonSerializer.Serialize(new Claim(epoch, coordinator)));
        // What saves that came to nothing have left.
        foreach (var left in Directory.EnumerateDirectories(Folder.Checkpoints, ".*.partial")) SaveFolder.Remove(left);
        return new CoordinatorEvent.StorageRead(epoch, [.. Folder.WholeCheckpoints.Select(CheckpointAt)], IsOfThisRun());
    }

    /// <summary>From now on state can be lost.</summary>
    public void MarkBegun()
    {
        if (Folder is not null) Write(BegunFile, run);
    }

    public CoordinatorEvent Commit(CoordinatorEffect.WriteManifest manifest)
    {
        try
        {
            if (!IsMine()) return new CoordinatorEvent.StorageFenced(ClaimNow()!.Epoch);
            var step = manifest.State.StepsDone - 1;
            var target = Folder!.CheckpointOf(step);
            var checkpoint = settings.Shared();
            var record = new RunRecord(manifest.State.Updates, settings.DataFlags) { Slots = manifest.Plan.Slots.Length };
            var digest = checkpoint.Commit(PartialOf(settings, manifest.Folder), target, step, record.ToJson(), settings.Files, IsMine);
            return digest is null ? new CoordinatorEvent.StorageFenced(ClaimNow()!.Epoch) : new CoordinatorEvent.ManifestWritten(manifest.Save, digest, target);
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return new CoordinatorEvent.ManifestFailed(manifest.Save, fault.Message);
        }
    }

    /// <summary>Removes what was written of a save that came to nothing.</summary>
    public void Abandon(string folder) => SaveFolder.Remove(PartialOf(settings, folder));

    private static Checkpointed CheckpointAt(string folder)
    {
        using var opened = CheckpointDirectory.Open(folder);
        var record = RunRecord.Parse(Saved.RecordOf(folder), folder);
        return new Checkpointed(new StateId(opened.Digest, Saved.StepOf(folder)!.Value + 1, record.Updates), folder);
    }

    private bool IsMine() => ClaimNow()?.Coordinator == coordinator;

    private bool IsOfThisRun() => Read(BegunFile) == run;

    private Claim? ClaimNow() => Read(ClaimFile) is { } json ? JsonSerializer.Deserialize<Claim>(json) : null;

    private string? Read(string name) => Path.Combine(Folder!.Path, name) is var path && File.Exists(path) ? File.ReadAllText(path) : null;

    private void Write(string name, string text) => DurableFile.WriteText(Path.Combine(Folder!.Path, name), text, $".{coordinator}");
}
