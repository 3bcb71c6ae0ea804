namespace ActorLlama.Model;

/// <summary>Layers [First, First + Count) of the trunk: what one stage holds.</summary>
public sealed record LayerRange(int First, int Count)
{
    /// <summary>First layer after the range.</summary>
    public int End => First + Count;

    public static LayerRange All(LlamaConfig config) => new(0, config.Layers);

    /// <summary>Whether the range begins the model: its stage embeds.</summary>
    public bool IsFirst => First == 0;

    /// <summary>Whether the range ends the model: its stage has the final norm and the head.</summary>
    public bool IsLast(LlamaConfig config) => End == config.Layers;

    /// <summary>Throws when the range is empty or beyond the model.</summary>
    public void Check(LlamaConfig config)
    {
        if (First < 0 || Count < 1 || End > config.Layers)
            throw new InvalidDataException($"Stage: layers [{First},{End}) are not within the model's [0,{config.Layers}). Change the plan.");
    }
}
