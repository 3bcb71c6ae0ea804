namespace ActorLlama.Checkpoints;

/// <summary>Hugging Face's safetensors (spec 3.1), experts fused or one by one.</summary>
internal sealed class HuggingFaceLayout(ShardSet shards, bool isMultimodal) : SafetensorsLayout(shards)
{
    private readonly HuggingFaceNames _names = new(isMultimodal);

    public override string Name => LayoutNames.HuggingFace;

    public override int VisionBlocks => VisionTable.CountBlocks(Keys, VisionTable.HuggingFaceBlocksPrefix);

    public override bool IsVision(string key) => _names.IsVision(key);

    public override string KeyOf(string canonicalName)
    {
        var key = _names.KeyOf(canonicalName);
        if (Has(key) || PartsOf(key) is not { } parts || !Has(parts(0)[0])) return key;
        for (var expert = 0; ; expert++)
            if (parts(expert).FirstOrDefault(part => !Has(part)) is { } missing) return missing;
    }

    public override TensorView? Find(string canonicalName)
    {
        var key = _names.KeyOf(canonicalName);
        return View(key) ?? (PartsOf(key) is { } parts ? Unfused(parts) : null);
    }

    /// <summary>Each expert's matrices lie [out,in] under keys of their own: turned, gate beside up, stacked.</summary>
    private TensorView? Unfused(Func<int, string[]> parts)
    {
        var experts = new List<TensorView>();
        while (Has(parts(experts.Count)[0]))
        {
            var matrices = Array.ConvertAll(parts(experts.Count), View);
            if (matrices.Contains(null) || matrices.Any(matrix => matrix!.Shape.Length != 2)) return null;
            experts.Add(TensorView.Join(1, Array.ConvertAll(matrices, matrix => matrix!.Transposed())));
        }
        return experts.Count == 0 ? null : TensorView.Stack(experts);
    }

    /// <summary>The keys that replace a fused key, by expert; null when it is no experts' key.</summary>
    private static Func<int, string[]>? PartsOf(string key)
    {
        const string gateUp = ".gate_up_proj", down = ".down_proj";
        if (key.EndsWith($"experts{gateUp}", StringComparison.Ordinal))
            return e => [$"{key[..^gateUp.Length]}.{e}.gate_proj.weight", $"{key[..^gateUp.Length]}.{e}.up_proj.weight"];
        if (key.EndsWith($"experts{down}", StringComparison.Ordinal)) return e => [$"{key[..^down.Length]}.{e}.down_proj.weight"];
        return null;
    }
}
