using System.Collections.Immutable;
using System.Globalization;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>The files <c>consolidated.NN.pth</c> of a folder, in rank order, checked to be all of one set (spec 3.2).</summary>
internal sealed class MetaShards : IDisposable
{
    public const string ParamsFile = "params.json";

    private const string OneSet = "Use all shards of one checkpoint, and no others.";

    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);

    private MetaShards(ImmutableArray<PthFile> files)
    {
        Files = files;
        foreach (var file in files) _keys.UnionWith(file.Keys);
        _keys.RemoveWhere(IsNoWeight);
    }

    public ImmutableArray<PthFile> Files { get; }

    /// <summary>Keys of all weights in any shard.</summary>
    public IReadOnlyCollection<string> Keys => _keys;

    public static string NameOf(int rank) => string.Create(CultureInfo.InvariantCulture, $"consolidated.{rank:d2}.pth");

    /// <summary>True when the folder holds at least one shard.</summary>
    public static bool AreIn(string directory) => Ranks(directory).Count > 0;

    /// <summary>Opens all shards. Names the first that is missing.</summary>
    public static MetaShards Open(string directory)
    {
        var ranks = Ranks(directory);
        for (var rank = 0; rank < ranks.Count; rank++)
            if (ranks[rank] != rank) throw Missing(directory, rank, $"there is {Quote(NameOf(ranks[^1]))}");
        var files = new List<PthFile>();
        try
        {
            foreach (var rank in ranks) files.Add(PthFile.Open(Path.Combine(directory, NameOf(rank))));
            var shards = new MetaShards([.. files]);
            shards.RequireComplete(directory);
            return shards;
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that key in every shard; null when all lack it. They have equal shapes.</summary>
    public ImmutableArray<TensorView>? Find(string key)
    {
        if (!_keys.Contains(key)) return null;
        var views = Files.Select(file => file.Find(key)).ToList();
        for (var rank = 0; rank < views.Count; rank++)
        {
            if (views[rank] is not { } view)
                throw new InvalidDataException($"Checkpoint: tensor {Quote(key)} is missing from {Quote(Files[rank].Source.Path)}; other shards hold it. {OneSet}");
            if (!view.Shape.SequenceEqual(views[0]!.Shape) || view.Type != views[0]!.Type)
                throw new InvalidDataException(
                    $"Checkpoint: tensor {Quote(key)} has shape {Quote(view.Shape)} of {view.Type} in {Quote(Files[rank].Source.Path)}, but {Quote(views[0]!.Shape)} of "
                    + $"{views[0]!.Type} in {Quote(Files[0].Source.Path)}; shards of one set are divided alike. {OneSet}");
        }
        return [.. views!];
    }

    public void Dispose()
    {
        foreach (var file in Files) file.Dispose();
    }

    private void RequireComplete(string directory)
    {
        // wo is divided along its columns only: their number tells how many shards make the whole.
        const string wo = "layers.0.attention.wo.weight";
        foreach (var file in Files)
            if (file.Find(wo) is { Shape: [> 0 and var rows, > 0 and var columns] } && rows % columns == 0 && rows / columns != Files.Length)
            {
                var found = $"tensor {Quote(wo)} {Quote(new[] { rows, columns })} in {Quote(file.Source.Path)} is 1 of {rows / columns} parts";
                if (rows / columns > Files.Length) throw Missing(directory, Files.Length, found);
                throw new InvalidDataException($"Checkpoint: {found}, but {Quote(directory)} holds {Files.Length} shards. {OneSet}");
            }
    }

    private static FileNotFoundException Missing(string directory, int rank, string why)
    {
        var path = Path.Combine(directory, NameOf(rank));
        return new FileNotFoundException($"Checkpoint: shard {Quote(path)} does not exist, though {why}. Download it.", path);
    }

    private static List<int> Ranks(string directory) =>
    [
        .. Directory.EnumerateFiles(directory, "consolidated.*.pth")
            .Select(path => Path.GetFileName(path)["consolidated.".Length..^".pth".Length])
            .Select(text => text.Length >= 2 && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var rank) ? rank : -1)
            .Where(rank => rank >= 0).Distinct().Order(),
    ];

    private static bool IsNoWeight(string key) =>
        key.EndsWith("_extra_state", StringComparison.Ordinal)
        || key is "rope.freqs" or "freq_cis"
        || key.EndsWith(".feed_forward.expert_activation_DE", StringComparison.Ordinal)
        || key.EndsWith(".feed_forward.global_gate_stats_3E", StringComparison.Ordinal)
        || key.EndsWith(".feed_forward.running_gate_stats_3E", StringComparison.Ordinal);
}
