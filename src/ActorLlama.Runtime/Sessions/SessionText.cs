using ActorLlama.Planning.Sessions;
using ActorLlama.Text;

namespace ActorLlama.Runtime.Sessions;

/// <summary>The text of a session's ids; empty texts when the checkpoint has no tokenizer.</summary>
internal sealed class SessionText(LlamaTokenizer? tokenizer, IEnumerable<string> stopStrings, bool showSpecial)
{
    private readonly GeneratedText? _text = tokenizer is null ? null : new GeneratedText(tokenizer, new StopRules([], stopStrings), skipSpecial: !showSpecial);

    public GeneratedToken Read(int id)
    {
        if (_text is null) return new GeneratedToken(id, "", "", Stops: false);
        var text = _text.Push(id);
        return new GeneratedToken(id, text, _text.Tail, _text.Stopped is StopCause.Text);
    }
}
