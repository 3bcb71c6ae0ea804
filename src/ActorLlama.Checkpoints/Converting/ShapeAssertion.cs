using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>Checks that a checkpoint is the model it is said to be.</summary>
internal static class ShapeAssertion
{
    /// <summary>Throws <see cref="InvalidDataException"/> naming the first size that differs.</summary>
    public static void Require(string name, LlamaConfig wanted, Checkpoint source)
    {
        var found = source.Config;
        Equal("layers", wanted.Layers, found.Layers);
        Equal("hidden size", wanted.HiddenSize, found.HiddenSize);
        Equal("query heads", wanted.QueryHeads, found.QueryHeads);
        Equal("kv heads", wanted.KvHeads, found.KvHeads);
        Equal("head width", wanted.HeadDim, found.HeadDim);
        Equal("vocabulary", wanted.VocabSize, found.VocabSize);
        Equal("experts", wanted.Experts, found.Experts);
        Equal("expert width", wanted.ExpertHidden, found.ExpertHidden);
        if (wanted.IsMoe.Contains(false)) Equal("dense width", wanted.DenseHidden, found.DenseHidden);
        Equal("MoE layers", string.Join(',', Set(wanted.IsMoe)), string.Join(',', Set(found.IsMoe)));
        Equal("RoPE layers", string.Join(',', Set(wanted.UsesRope)), string.Join(',', Set(found.UsesRope)));

        void Equal<T>(string what, T expected, T value) where T : IEquatable<T>
        {
            if (!expected.Equals(value))
                throw new InvalidDataException($"Convert: {Quote(source.Path)} has {what} {value}, {Quote(name)} has {expected}. Correct --model-size or the path.");
        }

        static IEnumerable<int> Set(IEnumerable<bool> flags) => flags.Select((flag, layer) => (flag, layer)).Where(pair => pair.flag).Select(pair => pair.layer);
    }
}
