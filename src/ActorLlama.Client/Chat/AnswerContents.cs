using System.Text.Json;
using ActorLlama.Protocol;
using ActorLlama.Text;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client;

/// <summary>
/// The contents of one answer as its texts arrive: text at once unless it may become a call, a call when it is complete. Without tools all
/// is text.
/// </summary>
/// <param name="session">Start of the ids of calls.</param>
/// <param name="withTools">Whether to look for calls; the texts then hold special tokens.</param>
internal sealed class AnswerContents(SessionId session, bool withTools)
{
    private readonly AssistantParser? _parser = withTools ? new AssistantParser(firstCallOnly: false) : null;
    private int _calls;

    public ChatFinishReason FinishReason { get; private set; } = ChatFinishReason.Stop;

    /// <summary>What the next text of the stream makes certain.</summary>
    public IReadOnlyList<AIContent> Push(string text) => _parser is null
        ? text.Length > 0 ? [new TextContent(text)] : []
        : [.. _parser.Push(text).Select(ContentOf).OfType<AIContent>()];

    /// <summary>The rest, when the stream has ended.</summary>
    public IReadOnlyList<AIContent> Finish(GenerationResult result)
    {
        var isCut = result.Reason is Protocol.FinishReason.Length or Protocol.FinishReason.Expired;
        List<AIContent> rest = [.. Push(result.TailText)];
        if (_parser is not null) rest.AddRange(_parser.Finish(isCut ? StopReason.OutOfTokens : StopReason.EndOfTurn).Select(ContentOf).OfType<AIContent>());
        FinishReason = _calls > 0 ? ChatFinishReason.ToolCalls : isCut ? ChatFinishReason.Length : ChatFinishReason.Stop;
        return rest;
    }

    private AIContent? ContentOf(AssistantEvent found) => found switch
    {
        AssistantEvent.Text text => new TextContent(text.Value),
        AssistantEvent.Call call => FunctionCallContent.CreateFromParsedArguments(
            call.Value.ArgumentsJson, $"{session}-{++_calls}", call.Value.Name,
            static json => JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(json)!.ToDictionary(a => a.Key, a => (object?)a.Value)),
        _ => null,
    };
}
