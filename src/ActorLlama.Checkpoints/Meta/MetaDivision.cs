using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Divides canonical tensors into Meta's shards: the merging rules of spec 3.2, the other way round.</summary>
internal sealed class MetaDivision
{
    private readonly LlamaConfig _config;
    private readonly Dictionary<string, TensorView> _views;
    private readonly int _parts;

    /// <param name="config">The model.</param>
    /// <param name="tensors">All its tensors.</param>
    /// <param name="parts">Number of shards (<c>--mp</c>). Throws <see cref="InvalidDataException"/> when the model does not divide so.</param>
    public MetaDivision(LlamaConfig config, IEnumerable<BoundTensor> tensors, int parts)
    {
        (_config, _parts) = (config, parts);
        _views = tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.View, StringComparer.Ordinal);
        Require("query heads", config.QueryHeads);
        if (config.KvHeads % parts != 0 && parts % config.KvHeads != 0)
            throw new InvalidDataException(
                $"Convert: {config.KvHeads} kv heads neither divide into {parts} shards nor repeat evenly in them. Change --mp.");
        Require("vocabulary rows", config.VocabSize);
        if (config.IsMoe.Contains(true)) Require("columns of an expert", config.ExpertHidden);
        if (config.IsMoe.Contains(false)) Require("columns of a dense layer", config.DenseHidden);
        foreach (var (name, view) in _views)
            if (VisionTable.Find(name) is { Axis: { } axis }) Require($"sizes on axis {axis} of {Quote(name)}", view.Shape[axis]);
    }

    /// <summary>The tensors of one shard under Meta's keys, in forward order.</summary>
    public IEnumerable<(string Key, TensorView View)> Shard(int rank)
    {
        yield return ("tok_embeddings.weight", Part(ParameterNames.Embed, 0, rank));
        for (var layer = 0; layer < _config.Layers; layer++)
            foreach (var tensor in Layer(layer, rank)) yield return tensor;
        yield return ("norm.weight", _views[ParameterNames.FinalNorm]);
        if (!_config.TieEmbeddings) yield return ("output.weight", Part(ParameterNames.LmHead, 0, rank));
        foreach (var (name, view) in _views)
            if (VisionTable.Find(name) is { } vision) yield return (vision.Meta, vision.Axis is { } axis ? Part(view, axis, rank) : view);
    }

    private IEnumerable<(string Key, TensorView View)> Layer(int layer, int rank)
    {
        var at = $"layers.{layer}.";
        yield return (at + "attention.wqkv.layer_norm_weight", _views[ParameterNames.AttnNorm(layer)]);
        yield return (at + "attention.wqkv.weight", TensorView.Join(
            0, [Part(ParameterNames.AttnQ(layer), 0, rank), Heads(ParameterNames.AttnK(layer), rank), Heads(ParameterNames.AttnV(layer), rank)]));
        yield return (at + "attention.wo.weight", Part(ParameterNames.AttnO(layer), 1, rank));
        foreach (var (key, view) in _config.IsMoe[layer] ? Moe(layer, rank) : Dense(layer, rank)) yield return (at + "feed_forward." + key, view);
    }

    private IEnumerable<(string Key, TensorView View)> Moe(int layer, int rank)
    {
        var gateUp = _views[ParameterNames.ExpertsGateUp(layer)];
        var columns = (long)_config.ExpertHidden / _parts;
        yield return ("norm.weight", _views[ParameterNames.FfnNorm(layer)]);
        yield return ("router_DE", _views[ParameterNames.Router(layer)].Transposed());
        yield return ("experts.moe_w_in_eD_F", gateUp.Slice(2, rank * columns, columns).MergeFirst());
        yield return ("experts.moe_w_swiglu_eD_F", gateUp.Slice(2, _config.ExpertHidden + rank * columns, columns).MergeFirst());
        yield return ("experts.moe_w_out_eF_D", Part(ParameterNames.ExpertsDown(layer), 1, rank).MergeFirst());
        yield return ("w_in_shared_FD.weight", Part(ParameterNames.SharedGate(layer), 0, rank));
        yield return ("w_swiglu_FD.weight", Part(ParameterNames.SharedUp(layer), 0, rank));
        yield return ("w_out_shared_DF.weight", Part(ParameterNames.SharedDown(layer), 1, rank));
    }

    private IEnumerable<(string Key, TensorView View)> Dense(int layer, int rank)
    {
        yield return ("mlp.layer_norm_weight", _views[ParameterNames.FfnNorm(layer)]);
        yield return ("mlp.fc1_weight", TensorView.Join(0, [Part(ParameterNames.DenseGate(layer), 0, rank), Part(ParameterNames.DenseUp(layer), 0, rank)]));
        yield return ("mlp.fc2_weight", Part(ParameterNames.DenseDown(layer), 1, rank));
    }

    /// <summary>Key or value heads of a shard; with more shards than heads, neighbours hold copies of one.</summary>
    private TensorView Heads(string name, int rank)
    {
        if (_parts <= _config.KvHeads) return Part(name, 0, rank);
        return _views[name].Slice(0, (long)rank * _config.KvHeads / _parts * _config.HeadDim, _config.HeadDim);
    }

    private TensorView Part(string name, int axis, int rank) => Part(_views[name], axis, rank);

    private TensorView Part(TensorView view, int axis, int rank) => view.Slice(axis, rank * (view.Shape[axis] / _parts), view.Shape[axis] / _parts);

    private void Require(string what, long count)
    {
        if (count % _parts != 0) throw new InvalidDataException($"Convert: {count} {what} do not divide into {_parts} shards. Change --mp.");
    }
}
