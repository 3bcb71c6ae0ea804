using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>What the checkpoint's <c>config.json</c> says about tokens; what is null is taken from the tokenizer file.</summary>
/// <param name="VocabularySize">Rows of the embedding (<c>vocab_size</c>); ids at or above it do not exist. By default entries + 2048.</param>
/// <param name="BosId"><c>bos_token_id</c>; must be the id of <c>&lt;|begin_of_text|&gt;</c>.</param>
/// <param name="EosIds"><c>eos_token_id</c>; each must be a terminator of spec 5.2. By default all of those that exist.</param>
/// <param name="PadId"><c>pad_token_id</c>. By default <c>&lt;|finetune_right_pad|&gt;</c>, if it exists.</param>
public sealed record TokenizerOptions(
    int? VocabularySize = null, int? BosId = null, ImmutableArray<int>? EosIds = null, int? PadId = null);
