namespace ActorLlama.Text;

/// <summary>
/// The text of one generation as its ids arrive: <see cref="StreamingDetokenizer"/> and <see cref="StopRules"/> together. It is a
/// function of the ids alone, so a session that is re-opened replays its ids and goes on.
/// </summary>
/// <remarks>For one stream; not for use by several threads at once.</remarks>
public sealed class GeneratedText
{
    private readonly StreamingDetokenizer _detokenizer;
    private readonly StopRules _rules;
    private string _held = "";

    public GeneratedText(LlamaTokenizer tokenizer, StopRules rules, bool skipSpecial = false)
    {
        _detokenizer = new StreamingDetokenizer(tokenizer, skipSpecial);
        _rules = rules;
    }

    /// <summary>Why the generation has ended; null while it goes on.</summary>
    public StopCause? Stopped { get; private set; }

    /// <summary>The text to show after this id. When it ends the generation, <see cref="Stopped"/> says so and all text has been given.</summary>
    /// <exception cref="InvalidOperationException">The generation has ended already.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Push(int id)
    {
        if (Stopped is not null) throw new InvalidOperationException($"Generated text: id {id} after the end by {Stopped}. Nothing follows the end.");
        if (_rules.StopsAt(id)) return End(new StopCause.Token(id));
        return Take(_detokenizer.Push(id));
    }

    /// <summary>Text held back so far, to be shown if the generation ends here by anything but a stop string.</summary>
    public string Tail => Stopped is null ? _held + _detokenizer.Pending : "";

    /// <summary>Ends the generation from outside (token limit, cancellation) and gives the text held back.</summary>
    public string Finish() => Stopped is null ? End(new StopCause.Finished()) : "";

    private string End(StopCause cause)
    {
        var text = Take(_detokenizer.Flush());
        if (Stopped is not null) return text;
        Stopped = cause;
        return text + _held;
    }

    private string Take(string text)
    {
        var step = _rules.Push(_held, text);
        _held = step.Held;
        if (step.Stop is not null) Stopped = new StopCause.Text(step.Stop);
        return step.Emit;
    }
}
