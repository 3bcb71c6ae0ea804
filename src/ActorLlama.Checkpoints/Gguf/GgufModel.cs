using System.Runtime.InteropServices;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// The text model of a checkpoint as one GGUF file for llama.cpp (architecture <c>llama4</c>): matrices in bfloat16 or float32, norms and router in float32,
/// experts turned to [out,in]. A vision tower is left out: llama.cpp keeps it in a file of its own.
/// </summary>
internal static class GgufModel
{
    public const string FileName = "model.gguf";

    /// <summary>The type of what lies between tensors.</summary>
    public const string PaddingType = "U8";

    private const string Architecture = "llama4";

    /// <param name="source">The model.</param>
    /// <param name="type">Type of matrices; null for that of the embedding.</param>
    /// <param name="vocabulary">Its tokenizer; null when it has none: the file then takes and gives ids only.</param>
    /// <exception cref="InvalidDataException">llama.cpp would compute something else.</exception>
    public static TensorFile Of(Checkpoint source, ElementType? type, GgufVocabulary? vocabulary)
    {
        var config = source.Config;
        GgufRules.Require(config, source.Path);
        var parameters = ParameterTable.Of(config);
        var matrices = type ?? source.Tensors[0].View.Type;
        var tensors = source.Tensors
            .Select(tensor => (Parameter: parameters.Find(tensor.Name), tensor.View))
            .Where(tensor => tensor.Parameter is not null)
            .SelectMany(tensor => GgufNames.Of(tensor.Parameter!, tensor.View)
                .Select(named => TensorToWrite.Of(named.Name, named.View, tensor.Parameter!.Group is ParameterGroup.Norm or ParameterGroup.Router ? ElementType.Float32 : matrices)))
            .ToList();
        if (config.RopeScaling is { } scaling) tensors.Add(RopeFactors(config, scaling));
        var header = new GgufHeader();
        AddModel(header, config, Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Path)), matrices);
        AddVocabulary(header, config, vocabulary);
        return new TensorFile(FileName, header.For(tensors), [.. tensors.SelectMany(Padded)]);
    }

    private static void AddModel(GgufHeader header, LlamaConfig config, string name, ElementType matrices)
    {
        header.Add("general.architecture", Architecture);
        header.Add("general.name", name);
        header.Add("general.file_type", matrices == ElementType.Float32 ? 0 : 32);
        Add("block_count", config.Layers);
        Add("context_length", config.MaxPositions);
        Add("embedding_length", config.HiddenSize);
        Add("vocab_size", config.VocabSize);
        Add("feed_forward_length", config.DenseHidden);
        Add("expert_feed_forward_length", config.ExpertHidden);
        Add("expert_count", config.Experts);
        Add("expert_used_count", config.ExpertsPerToken);
        Add("interleave_moe_layer_step", config.IsMoe.IndexOf(true) + 1);
        Add("attention.head_count", config.QueryHeads);
        Add("attention.head_count_kv", config.KvHeads);
        Add("attention.key_length", config.HeadDim);
        Add("attention.value_length", config.HeadDim);
        header.Add($"{Architecture}.attention.layer_norm_rms_epsilon", (float)config.NormEps);
        Add("rope.dimension_count", config.HeadDim);
        header.Add($"{Architecture}.rope.freq_base", (float)config.RopeTheta);

        void Add(string key, int value) => header.Add($"{Architecture}.{key}", value);
    }

    private static void AddVocabulary(GgufHeader header, LlamaConfig config, GgufVocabulary? vocabulary)
    {
        header.Add("tokenizer.ggml.model", vocabulary is null ? "none" : "gpt2");
        if (vocabulary is null) return;
        if (vocabulary.Tokens.Length != config.VocabSize)
            throw new InvalidDataException(
                $"Convert: the tokenizer has {vocabulary.Tokens.Length} ids, the model {Quote([config.VocabSize])}. Use tokenizer and weights of one checkpoint.");
        header.Add("tokenizer.ggml.pre", Architecture);
        header.Add("tokenizer.ggml.tokens", vocabulary.Tokens);
        header.Add("tokenizer.ggml.token_type", [.. vocabulary.Kinds.Select(kind => (int)kind)]);
        header.Add("tokenizer.ggml.merges", [.. vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}")]);
        header.Add("tokenizer.ggml.bos_token_id", config.BosId);
        if (!config.EosIds.IsEmpty) header.Add("tokenizer.ggml.eos_token_id", config.EosIds[0]);
    }

    /// <summary>What frequencies are divided by, per pair of a head.</summary>
    private static TensorToWrite RopeFactors(LlamaConfig config, RopeScaling scaling)
    {
        var factors = new float[config.HeadDim / 2];
        for (var pair = 0; pair < factors.Length; pair++)
        {
            var frequency = RopeScaling.FrequencyOf(config.RopeTheta, pair, config.HeadDim);
            factors[pair] = (float)(frequency / scaling.Scale(frequency));
        }
        return new TensorToWrite(
            GgufNames.RopeFactors, SafetensorsType.F32, [factors.Length], (offset, bytes) => MemoryMarshal.AsBytes(factors.AsSpan()).Slice((int)offset, bytes.Length).CopyTo(bytes));
    }

    /// <summary>A tensor, and the zeros before the next one begins.</summary>
    private static IEnumerable<TensorToWrite> Padded(TensorToWrite tensor)
    {
        yield return tensor;
        if (GgufHeader.PaddingAfter(tensor.Bytes) is var padding and > 0) yield return new TensorToWrite($"{tensor.Name} padding", PaddingType, [padding], (_, bytes) => bytes.Clear());
    }
}
