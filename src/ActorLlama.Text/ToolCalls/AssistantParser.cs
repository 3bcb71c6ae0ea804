using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>
/// Tells text from tool calls in an assistant's output as it arrives, special tokens in their spelling. Text is given at once unless it
/// may be the beginning of a call, a call when it is complete. The events, with neighbouring texts joined, do not depend on how the
/// output was cut.
/// </summary>
/// <remarks>
/// The forms are those of Meta's decoder (spec 5.3), with its rules for spaces, headers and terminators. It knows calls only where they
/// are the whole message and gives the first; here they may follow text, and all can be had. A JSON object or Python list is a call only
/// if nothing but further calls follows it. For one stream; not for use by several threads at once.
/// </remarks>
public sealed class AssistantParser
{
    private const string Header = SpecialTokens.HeaderStart + "assistant" + SpecialTokens.HeaderEnd + "\n\n";

    private static readonly (string Spelling, StopReason Reason)[] s_terminators =
        [(SpecialTokens.EndOfTurn, StopReason.EndOfTurn), (SpecialTokens.EndOfMessage, StopReason.EndOfMessage)];

    private static readonly string[] s_callNames = ["\"type\"", "\"name\"", "\"parameters\""];

    private static readonly string[] s_callStarts = ["[", "{", "<function=", SpecialTokens.PythonStart];

    private readonly bool _firstCallOnly;
    private readonly List<AssistantEvent> _events = [];
    private string _tail = "";
    private Phase _phase = Phase.Start;
    private bool _atStart = true;
    private bool _afterWord;
    private bool _called;

    private enum Phase
    {
        /// <summary>Spaces and a header may come.</summary>
        Start,

        /// <summary>Text and calls.</summary>
        Body,

        /// <summary>Behind <c>&lt;|python_start|&gt;</c>: a call whatever comes; it ends with the message.</summary>
        Code,

        /// <summary>The message has ended.</summary>
        Ended,
    }

    /// <param name="firstCallOnly">True gives only the first call, as Meta's decoder does; false gives all.</param>
    public AssistantParser(bool firstCallOnly = true) => _firstCallOnly = firstCallOnly;

    /// <summary>Parses a whole output.</summary>
    /// <param name="raw">The text of all generated ids, special tokens in their spelling.</param>
    /// <param name="stopReason">Why the generation ended, if no terminator is in the text.</param>
    /// <param name="firstCallOnly">As for the constructor.</param>
    public static AssistantOutput Parse(string raw, StopReason stopReason = StopReason.OutOfTokens, bool firstCallOnly = true)
    {
        var parser = new AssistantParser(firstCallOnly);
        var events = parser.Push(raw).AddRange(parser.Finish(stopReason));
        return new AssistantOutput(
            string.Concat(events.OfType<AssistantEvent.Text>().Select(text => text.Value)),
            events.OfType<AssistantEvent.End>().Single().Reason,
            [.. events.OfType<AssistantEvent.Call>().Select(call => call.Value)]);
    }

    /// <summary>Adds output; gives what is certain now.</summary>
    /// <exception cref="InvalidOperationException">The message was finished.</exception>
    public ImmutableArray<AssistantEvent> Push(string text)
    {
        if (_phase == Phase.Ended) throw new InvalidOperationException("Tool calls: output after the end of the message. Use a parser of its own for each message.");
        _tail += text;
        Advance(final: false);
        return Drain();
    }

    /// <summary>Ends the message; gives the rest, and <see cref="AssistantEvent.End"/> last.</summary>
    /// <param name="stopReason">Why the generation ended, if no terminator was in the text.</param>
    /// <exception cref="InvalidOperationException">The message was finished before.</exception>
    public ImmutableArray<AssistantEvent> Finish(StopReason stopReason = StopReason.OutOfTokens)
    {
        if (_phase == Phase.Ended) throw new InvalidOperationException("Tool calls: the message was finished twice. Use a parser of its own for each message.");
        _tail = _tail.TrimEnd(' ');
        foreach (var (terminator, reason) in s_terminators)
        {
            if (!_tail.EndsWith(terminator, StringComparison.Ordinal)) continue;
            _tail = _tail[..^terminator.Length];
            stopReason = reason;
            break;
        }
        Advance(final: true);
        _phase = Phase.Ended;
        _events.Add(new AssistantEvent.End(stopReason));
        return Drain();
    }

    private ImmutableArray<AssistantEvent> Drain()
    {
        ImmutableArray<AssistantEvent> events = [.. _events];
        _events.Clear();
        return events;
    }

    private void Advance(bool final)
    {
        if (_phase == Phase.Start && !SkipStart(final)) return;
        if (_phase == Phase.Body) ReadBody(final);
        if (_phase == Phase.Code && final) ReadCode();
    }

    /// <summary>Drops leading spaces and one header; false while more text decides.</summary>
    private bool SkipStart(bool final)
    {
        _tail = _tail.TrimStart(' ');
        var header = CallMatchers.Literal(_tail, 0, Header);
        if (header == MatchKind.More && !final) return false;
        if (header == MatchKind.Whole) _tail = _tail[Header.Length..];
        _phase = Phase.Body;
        return true;
    }

    private void ReadBody(bool final)
    {
        for (var at = 0; at < _tail.Length;)
        {
            if (!MayStart(at))
            {
                at++;
                continue;
            }
            var match = Match(at, final);
            if (match.Kind == MatchKind.More && !final)
            {
                GiveText(at);
                return;
            }
            if (_phase == Phase.Code)
            {
                GiveText(at);
                _tail = _tail[match.End..];
                return;
            }
            if (match.Kind == MatchKind.Whole && match.Calls.Length > 0)
            {
                GiveText(at);
                GiveCalls(match.Calls);
                _tail = _tail[(match.End - at)..];
                at = 0;
                continue;
            }
            at = match.Kind == MatchKind.Whole ? match.End : at + 1;
        }
        GiveText(final ? _tail.Length : _tail.AsSpan().TrimEnd(' ').Length);
    }

    /// <summary>True where a call, code or a terminator could start.</summary>
    private bool MayStart(int at)
    {
        var c = _tail[at];
        var afterWord = at == 0 ? _afterWord : CallMatchers.IsWord(_tail[at - 1]);
        return c is '[' or '{' or '<' || (CallMatchers.IsWord(c) && !afterWord);
    }

    private CallMatch Match(int at, bool final) => _tail[at] switch
    {
        '[' => IfLast(CallMatchers.PythonList(_tail, at), final),
        '{' => MayBeJsonCall(at) switch
        {
            MatchKind.Whole => IfLast(CallMatchers.JsonCall(_tail, at), final),
            var undecided => new CallMatch(undecided, 0, []),
        },
        '<' => MatchTag(at, final),
        _ => CallMatchers.Query(_tail, at),
    };

    private CallMatch MatchTag(int at, bool final)
    {
        var code = CallMatchers.Literal(_tail, at, SpecialTokens.PythonStart);
        if (code == MatchKind.Whole)
        {
            _phase = Phase.Code;
            return CallMatch.Whole(SpecialTokens.PythonStart.Length);
        }
        var function = CallMatchers.FunctionTag(_tail, at);
        if (function.Kind == MatchKind.More && final) return CallMatch.None;
        return code == MatchKind.More || IsTerminator(at) ? CallMatch.More : function;
    }

    /// <summary>A terminator counts only as the last of the message, and then <see cref="Finish"/> has taken it; or it may become one.</summary>
    private bool IsTerminator(int at)
    {
        var rest = _tail[at..].TrimEnd(' ');
        return rest.Length > 0 && (CallMatchers.Literal(rest, 0, SpecialTokens.EndOfTurn) == MatchKind.More || CallMatchers.Literal(rest, 0, SpecialTokens.EndOfMessage) == MatchKind.More
            || rest is SpecialTokens.EndOfTurn or SpecialTokens.EndOfMessage);
    }

    /// <summary>At the start any JSON object may be a call; behind text its first name must be one of a call's, so that others stream.</summary>
    private MatchKind MayBeJsonCall(int at)
    {
        if (_atStart && string.IsNullOrWhiteSpace(_tail[..at])) return MatchKind.Whole;
        var name = at + 1;
        while (name < _tail.Length && char.IsWhiteSpace(_tail[name])) name++;
        return s_callNames.Max(wanted => CallMatchers.Literal(_tail, name, wanted));
    }

    /// <summary>A list or an object is a call only if the message ends behind it or another call follows.</summary>
    private CallMatch IfLast(CallMatch match, bool final)
    {
        if (match.Kind != MatchKind.Whole || match.Calls.Length == 0) return match;
        var next = match.End;
        while (next < _tail.Length && char.IsWhiteSpace(_tail[next])) next++;
        if (next == _tail.Length) return final ? match with { End = next } : CallMatch.More;
        if (!final && IsTerminator(next)) return CallMatch.More;
        return s_callStarts.Max(wanted => CallMatchers.Literal(_tail, next, wanted)) switch
        {
            MatchKind.Whole => match with { End = next },
            MatchKind.More when !final => CallMatch.More,
            _ => CallMatch.Whole(match.End),
        };
    }

    /// <summary>What stands behind <c>&lt;|python_start|&gt;</c>: a call in any form, else code for the interpreter.</summary>
    private void ReadCode()
    {
        var code = _tail.Replace(SpecialTokens.PythonEnd, "", StringComparison.Ordinal);
        var inside = Parse(code, firstCallOnly: false);
        var plain = new ToolCall(BuiltinTools.CodeInterpreter, $$"""{"code": {{PythonText.JsonString(code)}}}""");
        GiveCalls(inside.ToolCalls.Length > 0 && inside.Content.Length == 0 ? inside.ToolCalls : [plain]);
        _tail = "";
    }

    /// <summary>Gives the first <paramref name="length"/> characters of the tail as text.</summary>
    private void GiveText(int length)
    {
        if (length == 0) return;
        var text = _tail[..length];
        _events.Add(new AssistantEvent.Text(text));
        _tail = _tail[length..];
        _afterWord = CallMatchers.IsWord(text[^1]);
        _atStart &= string.IsNullOrWhiteSpace(text);
    }

    private void GiveCalls(ImmutableArray<ToolCall> calls)
    {
        foreach (var call in calls)
        {
            if (_called && _firstCallOnly) break;
            _called = true;
            _events.Add(new AssistantEvent.Call(call));
        }
        _afterWord = false;
        _atStart = false;
    }
}
