using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Protocol;
using ActorLlama.Text;

namespace ActorLlama.Runtime.Nodes;

/// <summary>The checkpoint that a node serves, opened once: weights mapped, config, tokenizer, identity. Owned by the node's host object.</summary>
internal sealed record NodeModel : IDisposable
{
    public required Checkpoint Checkpoint { get; init; }

    /// <summary>Null when the checkpoint has none: then prompts are token ids.</summary>
    public required LlamaTokenizer? Tokenizer { get; init; }

    public required ModelShape Shape { get; init; }
    public required NodeProtocol.ModelIdentity Identity { get; init; }
    public required bool AllowNaN { get; init; }

    public LlamaConfig Config => Checkpoint.Config;

    public void Dispose() => Checkpoint.Dispose();
}
