using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>
/// Maverick in its real sizes, vision included, in files of holes: 803 GB that take some megabytes. A few rows of some experts hold values (spec trap 32).
/// </summary>
public sealed class MaverickSizeTests : IDisposable
{
    private const int Layer = 1, Hidden = 5120, Ffn = 8192, Parts = 2;

    /// <summary>Of gate and up: beyond 2³¹ bytes, beyond 2³¹ elements, beyond 2³² elements, the last.</summary>
    private static readonly int[] MarkedExperts = [13, 26, 52, 127];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Experts_beyond_all_marks_are_found_and_converted_bit_for_bit_in_both_layouts()
    {
        WriteHuggingFace(_folder.PathOf("hf"));
        using var hf = CheckpointDirectory.Open(_folder.PathOf("hf"));
        WriteMeta(_folder.PathOf("meta"), hf);
        using var meta = CheckpointDirectory.Open(_folder.PathOf("meta"));
        Assert.All([hf, meta], RequireIsMaverick);
        Assert.All(MarkedExperts[1..], expert => Assert.True((long)expert * Hidden * 2 * Ffn > int.MaxValue));

        // What a conversion would write of these experts: views of one layout, read in the order of the other.
        var toHf = meta.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.View);
        foreach (var (name, rows, width) in (ReadOnlySpan<(string, int, int)>)[(ParameterNames.ExpertsGateUp(Layer), Hidden, 2 * Ffn), (ParameterNames.ExpertsDown(Layer), Ffn, Hidden)])
            foreach (var expert in MarkedExperts)
                foreach (var row in Around(rows))
                {
                    var (expected, at) = (Row(rows, width, expert, row), ((long)expert * rows + row) * width);
                    RequireEqual(expected, Read(toHf[name], at, width));
                    RequireEqual(expected, Held(hf.Get(name), expert, row));
                }
        var toMeta = new MetaDivision(hf.Config, hf.Tensors, Parts);
        for (var rank = 0; rank < Parts; rank++)
            foreach (var (key, view) in toMeta.Shard(rank).Where(tensor => tensor.Key.StartsWith($"layers.{Layer}.feed_forward.experts.", StringComparison.Ordinal)))
            {
                var (rows, width) = (view.Shape[0] / hf.Config.Experts, (int)view.Shape[1]);
                foreach (var expert in MarkedExperts)
                    foreach (var row in PartRows(key, rank))
                        RequireEqual(PartRow(key, expert, rank, row), Read(view, (expert * rows + row) * width, width));
            }
        // One expert as a device loads it: merged whole, beyond 2³² bytes.
        const int whole = 52;
        var down = meta.Get(ParameterNames.ExpertsDown(Layer));
        using var held = down.Hold(whole, 1, 0, Hidden);
        for (var row = 0; row < Ffn; row++) RequireEqual(Row(Ffn, Hidden, whole, row), Values(held, whole, row, Hidden));
    }

    private static void RequireIsMaverick(Checkpoint checkpoint)
    {
        using var inspection = WeightInspection.Open(checkpoint.Path);
        Assert.Equal(401_583_781_376, inspection.Tensors.Sum(tensor => tensor.Elements));
        Assert.Equal(803_167_562_752, inspection.Tensors.Sum(tensor => tensor.Bytes));
        Assert.Equal(386_547_056_640, inspection.Tensors.Where(tensor => tensor.Group == "experts").Sum(tensor => tensor.Elements));
        Assert.Equal(24, checkpoint.Config.IsMoe.Count(isMoe => isMoe));
    }

    private void WriteHuggingFace(string folder)
    {
        Directory.CreateDirectory(folder);
        var text = JsonNode.Parse(File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "config", "models", "llama4-17b-128e.json")))!;
        var json = new JsonObject
        {
            ["model_type"] = "llama4",
            ["tie_word_embeddings"] = false,
            ["text_config"] = text,
            ["vision_config"] = new JsonObject { ["hidden_size"] = 1408, ["num_hidden_layers"] = 34, ["intermediate_size"] = 5632, ["image_size"] = 336, ["patch_size"] = 14 },
        };
        File.WriteAllText(Path.Combine(folder, "config.json"), json.ToJsonString());
        var names = new HuggingFaceNames(isMultimodal: true);
        var shapes = ParameterTable.Of(LlamaConfigReader.Read(json.ToJsonString()).Config).Parameters.Select(p => (p.Name, p.Shape)).Concat(VisionShapes());
        var shards = ShardPlan.Of([.. shapes.Select(tensor => new TensorToWrite(names.KeyOf(tensor.Name), "BF16", tensor.Shape, (_, _) => { }))], 50L << 30);
        foreach (var shard in shards)
        {
            using var file = File.Create(Path.Combine(folder, shard.Name));
            file.SetLength(shard.Bytes);
            file.Write(shard.Header);
            var begin = (long)shard.Header.Length;
            foreach (var tensor in shard.Tensors)
            {
                if (tensor.Name == names.KeyOf(ParameterNames.ExpertsGateUp(Layer))) WriteMarked(file, begin, Hidden, 2 * Ffn);
                if (tensor.Name == names.KeyOf(ParameterNames.ExpertsDown(Layer))) WriteMarked(file, begin, Ffn, Hidden);
                begin += tensor.Bytes;
            }
        }
        var map = shards.SelectMany(shard => shard.Tensors, (shard, tensor) => KeyValuePair.Create(tensor.Name, shard.Name)).ToDictionary();
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), JsonSerializer.Serialize(new { weight_map = map }));
    }

    private static void WriteMeta(string folder, Checkpoint hf)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "params.json"), """
            {
              "dim": 5120, "n_layers": 48, "n_heads": 40, "n_kv_heads": 8, "vocab_size": 202048, "multiple_of": 2048, "ffn_dim_multiplier": 1.2, "ffn_exp": 4.0,
              "norm_eps": 1e-05, "attention_chunk_size": 8192, "rope_theta": 500000.0, "use_scaled_rope": false, "nope_layer_interval": 4, "use_qk_norm": false,
              "moe_args": { "num_experts": 128, "capacity_factor": 1.0, "auto_scale_F": true, "top_k": 1, "interleave_moe_layer_step": 2 },
              "vision_args": {
                "image_size": { "height": 336, "width": 336 }, "patch_size": { "height": 14, "width": 14 }, "dim": 1408, "n_layers": 34, "n_heads": 16,
                "mlp_ratio": 4.0, "output_dim": 4096, "pixel_shuffle_ratio": 0.5
              }
            }
            """);
        var division = new MetaDivision(hf.Config, hf.Tensors, Parts);
        for (var rank = 0; rank < Parts; rank++)
        {
            var path = Path.Combine(folder, MetaShards.NameOf(rank));
            var offsets = SparsePth.Write(path, [.. division.Shard(rank).Select(tensor => (tensor.Key, tensor.View.Shape))]);
            using var file = File.OpenWrite(path);
            foreach (var name in (string[])["moe_w_in_eD_F", "moe_w_swiglu_eD_F", "moe_w_out_eF_D"])
            {
                var key = $"layers.{Layer}.feed_forward.experts.{name}";
                var (rows, width) = name == "moe_w_out_eF_D" ? (Ffn / Parts, Hidden) : (Hidden, Ffn / Parts);
                foreach (var expert in MarkedExperts)
                    WriteRows(file, offsets[key] + (long)expert * rows * width * 2, PartRows(key, rank), row => PartRow(key, expert, rank, row));
            }
        }
    }

    private static void WriteMarked(FileStream file, long begin, int rows, int width)
    {
        foreach (var expert in MarkedExperts) WriteRows(file, begin + (long)expert * rows * width * 2, Around(rows), row => Row(rows, width, expert, row));
    }

    /// <summary>Writes the rows that are not zero; the others stay holes.</summary>
    private static void WriteRows(FileStream file, long at, IEnumerable<int> rows, Func<int, ushort[]> valuesOf)
    {
        foreach (var row in rows)
        {
            var values = valuesOf(row);
            if (values.AsSpan().IndexOfAnyExcept((ushort)0) < 0) continue;
            file.Position = at + (long)row * values.Length * 2;
            file.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }
    }

    /// <summary>Rows of an expert that hold values, and those beside them.</summary>
    private static IEnumerable<int> Around(int rows) => new[] { 0, rows / 3, rows / 2, rows - 1 }.SelectMany(row => new[] { row - 1, row, row + 1 }).Where(row => row >= 0 && row < rows).Distinct();

    /// <summary>A row of an expert of the canonical tensor: zero but for the first, the last and two of them between, of which one begins Meta's second shard.</summary>
    private static ushort[] Row(int rows, int width, int expert, int row)
    {
        var elements = new ushort[width];
        if (row == 0 || row == rows / 3 || row == rows / 2 || row == rows - 1)
            for (var column = 0; column < width; column++) elements[column] = (ushort)((expert * 7919 + row * 104729 + column * 31 + width) >> 1 | 1);
        return elements;
    }

    /// <summary>Those rows of one of Meta's shards.</summary>
    private static IEnumerable<int> PartRows(string key, int rank) => key.EndsWith("moe_w_out_eF_D", StringComparison.Ordinal)
        ? Around(Ffn).Where(row => row / (Ffn / Parts) == rank).Select(row => row % (Ffn / Parts))
        : Around(Hidden);

    /// <summary>A row of what one of Meta's shards holds of an expert, by the rules of spec 3.2.</summary>
    private static ushort[] PartRow(string key, int expert, int rank, int row)
    {
        const int half = Ffn / Parts;
        if (key.EndsWith("moe_w_out_eF_D", StringComparison.Ordinal)) return Row(Ffn, Hidden, expert, rank * half + row);
        return Row(Hidden, 2 * Ffn, expert, row).AsSpan((key.EndsWith("moe_w_swiglu_eD_F", StringComparison.Ordinal) ? Ffn : 0) + rank * half, half).ToArray();
    }

    private static ushort[] Read(TensorView view, long element, int count)
    {
        var values = new ushort[count];
        new ViewReader(view).Read(element * 2, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>A row of an expert that lies where it is, of which nothing is copied.</summary>
    private static ushort[] Held(StoredTensor tensor, int expert, int row)
    {
        using var held = tensor.Hold(expert, 1, 0, tensor.Shape[2]);
        Assert.Equal(0, held.CopiedBytes);
        return Values(held, expert, row, (int)tensor.Shape[2]).ToArray();
    }

    private static unsafe ReadOnlySpan<ushort> Values(HeldEntries held, int expert, int row, int width) => new((ushort*)held[expert] + row * held.RowStride, width);

    private static void RequireEqual(ReadOnlySpan<ushort> expected, ReadOnlySpan<ushort> actual) => Assert.True(expected.SequenceEqual(actual));

    private static IEnumerable<(string Name, ImmutableArray<long> Shape)> VisionShapes() => VisionTable.Names(34).Select(name => (name, name.Split('.') switch
    {
        [_, "pos_embed"] => ImmutableArray.Create(577L, 1408),
        [_, "patch", _] => [1408, 588],
        [_, "adapter", "fc1", _] => [4096, 5632],
        [_, "adapter", "fc2", _] => [4096, 4096],
        [_, "projector", _] => [5120, 4096],
        [.., "attn", _, "weight"] => [1408, 1408],
        [.., "fc1", "weight"] => [5632, 1408],
        [.., "fc2", "weight"] => [1408, 5632],
        [.., "fc1", "bias"] => [5632],
        _ => ImmutableArray.Create(1408L),
    }));
}
