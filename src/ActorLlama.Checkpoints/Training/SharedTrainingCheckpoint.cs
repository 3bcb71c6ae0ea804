using System.Buffers;
using System.Collections.Immutable;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Flat elements [Start, Start + Elements) of a tensor, by the name it has in a run's state. <paramref name="Fill"/> counts bytes from the first of them.</summary>
public sealed record TrainedRange(string Name, long Start, long Elements, TensorFill Fill);

/// <summary>
/// A training checkpoint that many write together, each its ranges, in the files and with the bytes that <see cref="TrainingCheckpoint.Write"/> gives them: where every range lies
/// follows from the model alone. The folder is on storage that all share.
/// </summary>
public sealed class SharedTrainingCheckpoint
{
    private const int ChunkBytes = 1 << 22;

    private readonly string _configJson;
    private readonly ElementType _type;
    private readonly ImmutableArray<TensorFile> _files;
    private readonly Dictionary<string, (string File, long Offset)> _places = new(StringComparer.Ordinal);

    /// <param name="configJson">Text of the model's <c>config.json</c>.</param>
    /// <param name="type">Of weights and optimizer state.</param>
    /// <param name="optimizer">The optimizer's state has a tensor for each parameter under each of these prefixes.</param>
    public SharedTrainingCheckpoint(string configJson, ElementType type, IReadOnlyList<string> optimizer)
    {
        (_configJson, _type) = (configJson, type);
        var parameters = ParameterTable.Of(LlamaConfigReader.Read(configJson, CheckpointDirectory.ConfigFile).Config).Parameters;
        var weights = TrainingCheckpoint.Stacks(configJson, [.. parameters.Select(parameter => new Unread(parameter.Name, type, parameter.Shape))]).ToList();
        var moments = optimizer.SelectMany(prefix => parameters.Select(parameter => new Unread(prefix + parameter.Name, type, parameter.Shape)))
            .Select(tensor => (tensor.Name, Members: (IReadOnlyList<TensorData>)[tensor])).ToList();
        _files = [.. FilesOf(weights, null), .. FilesOf(moments, TrainingCheckpoint.OptimizerPart)];
    }

    /// <summary>
    /// Writes ranges into the folder, which is made if it is not there, and forces them to disk; others may be doing the same. Returns bytes written. Throws
    /// <see cref="InvalidDataException"/> where the folder cannot be written.
    /// </summary>
    public long Write(string folder, IReadOnlyList<TrainedRange> ranges, CancellationToken cancellation)
    {
        try
        {
            Directory.CreateDirectory(folder);
            return _files.Sum(file => Write(folder, file, ranges, cancellation));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"Save: {Quote(folder)} cannot be written: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
    }

    /// <summary>Makes the folder, whose ranges are all there, the checkpoint <paramref name="to"/>, and returns its digest.</summary>
    /// <param name="folder">Where the ranges were written.</param>
    /// <param name="to">The folder to make; it does not exist yet or is empty.</param>
    /// <param name="step">The step whose update was the last.</param>
    /// <param name="record">What the run wants to know of itself; JSON.</param>
    /// <param name="files">Files to put beside them by name; paths of what is copied.</param>
    /// <param name="mayCommit">Asked last of all; false: somebody else has the run now, and nothing becomes of it.</param>
    /// <exception cref="InvalidDataException">The target is taken or cannot be written, or a part is missing.</exception>
    public string? Commit(string folder, string to, long step, string record, IReadOnlyDictionary<string, string> files, Func<bool> mayCommit)
    {
        var target = TargetFolder.PathOf(to);
        TargetFolder.RequireFree(target, to);
        TargetFolder.Make(Path.GetDirectoryName(target) ?? target, to);
        foreach (var file in _files)
            if (new FileInfo(Path.Combine(folder, file.Name)) is var written && (!written.Exists || written.Length != file.Bytes))
                throw new InvalidDataException($"Save: file {Quote(file.Name)} in {Quote(folder)} is not what the owners wrote. Is the folder on storage that all nodes share?");
        TrainingCheckpoint.WriteIndex(folder, [.. _files.Where(file => !file.Name.StartsWith(TrainingCheckpoint.OptimizerPart, StringComparison.Ordinal))]);
        TrainingCheckpoint.WriteRest(folder, _configJson, _type, step, record, files, []);
        if (!mayCommit()) return null;
        PartialFolder.BecomeTarget(folder, target);
        using var opened = CheckpointDirectory.Open(target);
        return opened.Digest;
    }

    private ImmutableArray<TensorFile> FilesOf(List<(string Key, IReadOnlyList<TensorData> Members)> stacks, string? part)
    {
        var members = stacks.ToDictionary(stack => stack.Key, stack => stack.Members);
        var files = ShardPlan.Of([.. stacks.Select(stack => TrainingCheckpoint.ToWrite(stack.Key, stack.Members))], SafetensorsWriter.DefaultShardBytes, part);
        foreach (var file in files)
        {
            var at = (long)file.Header.Length;
            foreach (var tensor in file.Tensors)
                foreach (var member in members[tensor.Name])
                {
                    _places.Add(member.Name, (file.Name, at));
                    at += member.Bytes;
                }
        }
        return files;
    }

    private long Write(string folder, TensorFile file, IReadOnlyList<TrainedRange> ranges, CancellationToken cancellation)
    {
        var here = ranges.Where(range => _places[range.Name].File == file.Name).ToList();
        using var handle = File.OpenHandle(Path.Combine(folder, file.Name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        // Whoever comes first or last, it is the same.
        if (RandomAccess.GetLength(handle) != file.Bytes) RandomAccess.SetLength(handle, file.Bytes);
        RandomAccess.Write(handle, file.Header, 0);
        var size = _type == ElementType.Float32 ? 4 : 2;
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            foreach (var range in here)
            {
                var (begin, bytes) = (_places[range.Name].Offset + range.Start * size, range.Elements * size);
                for (var offset = 0L; offset < bytes; offset += ChunkBytes)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var piece = buffer.AsSpan(0, (int)Math.Min(ChunkBytes, bytes - offset));
                    range.Fill(offset, piece);
                    RandomAccess.Write(handle, piece, begin + offset);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        RandomAccess.FlushToDisk(handle);
        return here.Sum(range => range.Elements * size);
    }

    /// <summary>What a tensor is, without its elements.</summary>
    private sealed class Unread(string name, ElementType type, ImmutableArray<long> shape) : TensorData(name, type, shape)
    {
        public override void Read(long offset, Span<byte> bytes) => throw new InvalidOperationException($"Checkpoint: \"{Name}\" is written by whoever holds it.");
    }
}
