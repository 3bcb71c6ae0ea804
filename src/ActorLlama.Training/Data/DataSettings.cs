using ActorLlama.Text;

namespace ActorLlama.Training.Data;

/// <summary>What data a run learns from: MaxText's flags of the same names, checked by <see cref="DataSet.Open"/>.</summary>
public sealed record DataSettings
{
    /// <summary><c>dataset_type</c>: "synthetic" or "text".</summary>
    public required string Type { get; init; }

    /// <summary><c>dataset_path</c>: files or folders of text, with commas between them.</summary>
    public string Path { get; init; } = "";

    /// <summary><c>tokenizer_path</c>.</summary>
    public string Tokenizer { get; init; } = "";

    /// <summary><c>packing</c>.</summary>
    public bool Packing { get; init; } = true;

    /// <summary><c>enable_data_shuffling</c>.</summary>
    public bool Shuffles { get; init; } = true;

    /// <summary><c>data_shuffle_seed</c>.</summary>
    public int ShuffleSeed { get; init; }

    /// <summary><c>held_out_fraction</c>: part of the text, its end, that is for evaluation only.</summary>
    public double HeldOutFraction { get; init; }

    /// <summary>Sequences of a step.</summary>
    public required int Slots { get; init; }

    /// <summary><c>max_target_length</c>.</summary>
    public required int Length { get; init; }

    /// <summary>What the model's config says about tokens; its vocabulary size is there.</summary>
    public required TokenizerOptions Tokens { get; init; }
}
