using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>
/// The 2048 special tokens of Llama 4 in id order (spec 5.2): the token at offset j has id base + j, where base is the number of
/// entries of the tokenizer file.
/// </summary>
public static class SpecialTokens
{
    /// <summary>How many there are.</summary>
    public const int Count = 2048;

    public const string BeginOfText = "<|begin_of_text|>";
    public const string EndOfText = "<|end_of_text|>";
    public const string HeaderStart = "<|header_start|>";
    public const string HeaderEnd = "<|header_end|>";
    public const string EndOfMessage = "<|eom|>";
    public const string EndOfTurn = "<|eot|>";
    public const string PythonStart = "<|python_start|>";
    public const string PythonEnd = "<|python_end|>";
    public const string RightPad = "<|finetune_right_pad|>";
    public const string ImageStart = "<|image_start|>";
    public const string ImageEnd = "<|image_end|>";
    public const string TileXSeparator = "<|tile_x_separator|>";
    public const string TileYSeparator = "<|tile_y_separator|>";
    public const string Image = "<|image|>";
    public const string Patch = "<|patch|>";

    /// <summary>The spellings, by offset from the first special id.</summary>
    public static ImmutableArray<string> Names { get; } = Build();

    /// <summary>The tokens at which Meta's generation stops: <c>&lt;|end_of_text|&gt;</c>, <c>&lt;|eom|&gt;</c>, <c>&lt;|eot|&gt;</c>.</summary>
    public static ImmutableArray<string> Terminators { get; } = [EndOfText, EndOfMessage, EndOfTurn];

    private static ImmutableArray<string> Build()
    {
        var names = ImmutableArray.CreateBuilder<string>(Count);
        void Reserve(string family, int first, int last)
        {
            for (var i = first; i <= last; i++) names.Add($"<|{family}_{i}|>");
        }

        names.AddRange(BeginOfText, EndOfText, "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", HeaderStart, HeaderEnd, EndOfMessage, EndOfTurn, "<|step|>");
        Reserve("text_post_train_reserved_special_token", 0, 5);
        names.AddRange(PythonStart, PythonEnd, RightPad);
        Reserve("text_post_train_reserved_special_token", 8, 68); // there is no 6 or 7
        names.AddRange(ImageStart, ImageEnd);
        Reserve("vision_reserved_special_token", 0, 1);
        names.AddRange(TileXSeparator, TileYSeparator);
        Reserve("vision_reserved_special_token", 2, 5);
        names.Add(Image);
        Reserve("vision_reserved_special_token", 6, 6);
        names.Add(Patch);
        Reserve("vision_reserved_special_token", 7, 1047);
        Reserve("reasoning_reserved_special_token", 0, 7);
        names.AddRange("<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>");
        Reserve("reserved_special_token", 0, Count - names.Count - 1);
        return names.MoveToImmutable();
    }
}
