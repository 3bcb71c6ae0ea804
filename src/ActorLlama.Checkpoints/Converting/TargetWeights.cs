using System.Collections.Immutable;
using ActorLlama.Model;

namespace ActorLlama.Checkpoints;

/// <summary>The weights of a checkpoint, laid out anew: which file holds what, and how it is written.</summary>
internal sealed class TargetWeights
{
    private readonly ConversionOptions _options;
    private readonly ImmutableArray<TensorToWrite> _tensors = [];
    private readonly TensorFile? _gguf;
    private readonly ImmutableArray<ImmutableArray<(string Key, TensorView View)>> _parts = [];

    public TargetWeights(Checkpoint source, bool isMultimodal, ConversionOptions options)
    {
        _options = options;
        if (options.Layout == LayoutNames.Meta)
        {
            var division = new MetaDivision(source.Config, source.Tensors, options.MetaParts);
            _parts = [.. Enumerable.Range(0, options.MetaParts).Select(rank => division.Shard(rank).ToImmutableArray())];
            Files = [.. _parts.Select((part, rank) => new ConversionPlan.WeightFile(MetaShards.NameOf(rank), part.Length, part.Sum(tensor => BytesOf(tensor.View))))];
            return;
        }
        if (options.Layout == LayoutNames.Gguf)
        {
            _gguf = GgufModel.Of(source, options.Type, options.Vocabulary);
            Files = [new ConversionPlan.WeightFile(_gguf.Name, _gguf.Tensors.Count(tensor => tensor.Type != GgufModel.PaddingType), _gguf.Tensors.Sum(tensor => tensor.Bytes))];
            return;
        }
        var names = new HuggingFaceNames(isMultimodal);
        var parameters = ParameterTable.Of(source.Config);
        _tensors =
        [
            .. options.Layout switch
            {
                LayoutNames.HuggingFace => source.Tensors.Select(tensor => ToWrite(names.KeyOf(tensor.Name), tensor.View)),
                LayoutNames.Scanned => Stacked(source).Select(stack => ToWrite(stack.Key, stack.View)),
                _ => source.Tensors.Select(tensor => IsPacked(tensor.Name) ? PanelStorage.ToWrite(tensor.Name, tensor.View, TypeOf(tensor.View)) : ToWrite(tensor.Name, tensor.View)),
            },
        ];
        Files = [.. ShardPlan.Of(_tensors, options.ShardBytes).Select(
            shard => new ConversionPlan.WeightFile(shard.Name, shard.Tensors.Length, shard.Tensors.Sum(tensor => tensor.Bytes)))];

        bool IsPacked(string name) => options.Panels && parameters.Find(name) is { } parameter && PanelStorage.Holds(parameter);
    }

    /// <summary>The files of weights.</summary>
    public ImmutableArray<ConversionPlan.WeightFile> Files { get; }

    /// <summary>
    /// Writes all files into a folder that nobody takes for a checkpoint; those that are whole there already stay. Returns sizes and hashes of those it wrote.
    /// </summary>
    public Dictionary<string, Manifest.FileState> Write(string folder, CancellationToken cancellation)
    {
        var threads = _options.Threads ?? Environment.ProcessorCount;
        var states = new Dictionary<string, Manifest.FileState>(StringComparer.Ordinal);
        if (_gguf is not null)
        {
            new TensorFileWriter(folder) { Threads = threads, KeepsFinished = true, Progress = _options.Progress, States = states }.Write([_gguf], cancellation);
            return states;
        }
        if (_parts.IsEmpty)
        {
            new SafetensorsWriter(folder) { ShardBytes = _options.ShardBytes, Threads = threads, KeepsFinished = true, Progress = _options.Progress, States = states }
                .Write(_tensors, cancellation);
            return states;
        }
        var written = new Manifest.FileState?[_parts.Length];
        var tally = new WriteTally(Files.Sum(file => file.Bytes), _options.Progress);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
        FirstFault.Of(() => Parallel.For(0, _parts.Length, parallel, rank =>
        {
            var path = Path.Combine(folder, MetaShards.NameOf(rank));
            if (IsWhole(path, _parts[rank])) tally.Add(Files[rank].Bytes);
            else written[rank] = PthWriter.Write(path, _parts[rank], _options.Type, tally.Add, cancellation);
        }));
        for (var rank = 0; rank < written.Length; rank++)
            if (written[rank] is { } state) states.Add(MetaShards.NameOf(rank), state);
        DurableFile.SyncFolder(folder);
        return states;
    }

    private static IEnumerable<(string Key, TensorView View)> Stacked(Checkpoint source)
    {
        var blocks = new ScanBlocks(source.Config);
        var members = new Dictionary<string, List<TensorView>>(StringComparer.Ordinal);
        foreach (var tensor in source.Tensors)
        {
            var key = blocks.PlaceOf(tensor.Name)?.Key ?? tensor.Name;
            if (!members.TryGetValue(key, out var views)) members.Add(key, views = []);
            // Tensors come by ascending layer, so each lands at its index.
            views.Add(tensor.View);
        }
        return members.Select(member => (member.Key, member.Key.StartsWith(ScanBlocks.Prefix, StringComparison.Ordinal) ? TensorView.Stack(member.Value) : member.Value[0]));
    }

    private bool IsWhole(string path, IReadOnlyList<(string Key, TensorView View)> tensors)
    {
        if (!File.Exists(path)) return false;
        using var file = PthFile.Open(path);
        return tensors.All(tensor => file.Find(tensor.Key) is { } found
            && found.Type == (_options.Type ?? tensor.View.Type) && found.Shape.SequenceEqual(tensor.View.Shape));
    }

    private TensorToWrite ToWrite(string key, TensorView view) => TensorToWrite.Of(key, view, TypeOf(view));

    private ElementType TypeOf(TensorView view) => _options.Type ?? view.Type;

    private long BytesOf(TensorView view) => view.Elements * TensorView.BytesOf(TypeOf(view));
}
