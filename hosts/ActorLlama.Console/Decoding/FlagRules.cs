using System.Collections.Immutable;
using ActorLlama.Client;
using ActorLlama.Protocol;
using ActorLlama.Text;

namespace ActorLlama.Cli;

/// <summary>
/// MaxText's decoding (spec 8.1): max_target_length - max_prefill_predict_length + 1 tokens whatever their ids are, from the same seed each
/// time, special tokens in their spelling.
/// </summary>
internal sealed class FlagRules : IDecodeRules
{
    /// <summary>MaxText's PRNGKey; the numbers drawn from it are ours.</summary>
    private const ulong Seed = 1234;

    private readonly RunFlags _flags;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly SamplingOptions _sampling;
    private readonly int _prefill, _target;

    /// <summary>Throws <see cref="InvalidDataException"/> for flags that contradict each other, and for a tokenizer that cannot be read.</summary>
    public FlagRules(RunFlags flags)
    {
        _flags = flags;
        (_prefill, _target) = (flags.Whole("max_prefill_predict_length"), flags.Whole("max_target_length"));
        if (_prefill < 1) throw new InvalidDataException($"Flags: max_prefill_predict_length is {_prefill}; it is at least 1.");
        if (_target < _prefill) throw new InvalidDataException($"Flags: max_target_length is {_target}, below max_prefill_predict_length {_prefill}. Raise it.");
        _sampling = SamplingOf(flags);
        _tokenizer = flags.Text("tokenizer_path") is { Length: > 0 } path ? LlamaTokenizer.Load(FileOf(path)) : null;
        if (_tokenizer is null && !flags.Truth("add_bos") && !flags.Truth("use_chat_template"))
            throw new InvalidDataException("Flags: add_bos=false needs tokenizer_path: a session puts the begin-of-text token before text. Give it.");
    }

    /// <summary>How many tokens are generated.</summary>
    public int Tokens => _target - _prefill + 1;

    /// <summary>The strategies of MaxText's table. Throws <see cref="InvalidDataException"/> for a value that a strategy cannot have.</summary>
    public static SamplingOptions SamplingOf(RunFlags flags)
    {
        var strategy = flags.Text("decode_sampling_strategy");
        var (t, p, k) = (flags.Number("decode_sampling_temperature"), flags.Number("decode_sampling_nucleus_p"), flags.Whole("decode_sampling_top_k"));
        if (strategy == "greedy") return new SamplingOptions(0, 1, 0, Seed);
        if (t < 0 || (t == 0 && strategy != "composite"))
            throw new InvalidDataException($"Flags: decode_sampling_temperature is {t}; with decode_sampling_strategy={strategy} it is above 0.");
        if (strategy is "nucleus" or "composite" && p is < 0 or > 1)
            throw new InvalidDataException($"Flags: decode_sampling_nucleus_p is {p}; with decode_sampling_strategy={strategy} it is from 0 to 1.");
        if (strategy is "topk" or "composite" && k < 1)
            throw new InvalidDataException($"Flags: decode_sampling_top_k is {k}; with decode_sampling_strategy={strategy} it is at least 1.");
        return strategy switch
        {
            "weighted" => new SamplingOptions(t, 1, 0, Seed),
            "nucleus" => new SamplingOptions(t, p, 0, Seed, TopPRule.UntemperedWithTies),
            "topk" => new SamplingOptions(t, 1, k, Seed),
            _ => new SamplingOptions(Math.Max(t, 1e-6), p, k, Seed, TopPRule.Untempered),
        };
    }

    public GenerationRequest RequestFor(string prompt, ClusterProtocol.Model model)
    {
        if (_target > model.Shape.MaxPositions)
            throw new InvalidDataException($"Flags: max_target_length is {_target}, above the model's context of {model.Shape.MaxPositions} tokens. Lower it.");
        return new GenerationRequest(PromptOf(prompt), Tokens) { Sampling = _sampling, IgnoreEos = true, ShowSpecial = true };
    }

    public string? PromptFault(ImmutableArray<int> ids, ClusterProtocol.Model model) =>
        ids.Length > _prefill
            ? $"Prompt: it has {ids.Length} tokens, more than max_prefill_predict_length {_prefill}. Shorten it, or raise max_prefill_predict_length."
        : ids.Length + Tokens > model.Shape.MaxPositions
            ? $"Prompt: its {ids.Length} tokens and {Tokens} more do not fit the model's context of {model.Shape.MaxPositions}. Lower max_target_length by 1."
        : null;

    public StreamText NewText() => new(_tokenizer);

    /// <summary>Why the answer is not the one that autoregressive_decode_assert asks for, or null.</summary>
    public string? AnswerFault(string text) => _flags.Text("autoregressive_decode_assert") is var start && text.StartsWith(start, StringComparison.Ordinal)
        ? null
        : $"Decode: the answer does not start with autoregressive_decode_assert \"{start}\".";

    private Prompt PromptOf(string text) => (_tokenizer, _flags.Truth("use_chat_template")) switch
    {
        (null, true) => GenerationRequest.Dialog([new ChatTurn("user", text)]),
        (null, false) => GenerationRequest.Text(text),
        ({ } tokenizer, true) => GenerationRequest.Tokens(new ChatFormat(tokenizer).EncodeDialog([new ChatMessage(ChatRole.User, text)])),
        ({ } tokenizer, false) => GenerationRequest.Tokens([.. _flags.Truth("add_bos") ? [tokenizer.BosId] : Array.Empty<int>(), .. tokenizer.Encode(text)]),
    };

    /// <summary>A tokenizer file, or the one in a checkpoint's folder.</summary>
    private static string FileOf(string path)
    {
        if (!Directory.Exists(path)) return path;
        var json = Path.Combine(path, "tokenizer.json");
        var model = Path.Combine(path, "tokenizer.model");
        return File.Exists(model) || !File.Exists(json) ? model : json;
    }
}
