using System.Collections.Immutable;
using System.Text.Json;
using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client;

/// <summary>Microsoft.Extensions.AI's messages and options as a request.</summary>
internal static class ChatRequests
{
    private static readonly JsonSerializerOptions s_oneLine = new(AIJsonUtilities.DefaultOptions) { WriteIndented = false };

    /// <summary>
    /// Options that are not set keep the model's <paramref name="defaults"/>. Throws <see cref="NotSupportedException"/> for content that is
    /// neither text nor a function's call or result, for tools that are no functions, and for a call that must be made.
    /// </summary>
    public static GenerationRequest From(IEnumerable<ChatMessage> messages, ChatOptions? options, SamplingOptions defaults)
    {
        var turns = messages.SelectMany(TurnsOf).ToList();
        if (options?.Instructions is { Length: > 0 } instructions) turns.Insert(0, new ChatTurn("system", instructions));
        var tools = ToolsOf(options);
        return new GenerationRequest(GenerationRequest.Dialog(turns, tools), options?.MaxOutputTokens ?? ClusterChatClient.DefaultMaxTokens)
        {
            Sampling = defaults with
            {
                Temperature = options?.Temperature ?? defaults.Temperature,
                TopP = options?.TopP ?? defaults.TopP,
                TopK = options?.TopK ?? defaults.TopK,
                Seed = options?.Seed is { } seed ? unchecked((ulong)seed) : (ulong)Random.Shared.NextInt64(),
            },
            StopStrings = [.. options?.StopSequences ?? []],
            ShowSpecial = tools is not null,
        };
    }

    private static ImmutableArray<ChatTool>? ToolsOf(ChatOptions? options)
    {
        if (options?.Tools is not { Count: > 0 } tools || options.ToolMode is NoneChatToolMode) return null;
        if (options.ToolMode is RequiredChatToolMode)
            throw new NotSupportedException("Chat: a tool call was required, and a model cannot be made to call. Use ChatToolMode.Auto.");
        return [.. tools.Select(tool => tool is AIFunctionDeclaration function
            ? new ChatTool(function.Name, function.Description, function.JsonSchema.GetRawText())
            : throw new NotSupportedException($"Chat: tool \"{tool.Name}\" is a {tool.GetType().Name}, and only functions are supported. Leave it out."))];
    }

    /// <summary>One turn; or one for each function result, as each is a message of its own to the model.</summary>
    private static IEnumerable<ChatTurn> TurnsOf(ChatMessage message)
    {
        var text = "";
        var calls = ImmutableArray.CreateBuilder<ChatCall>();
        var results = new List<ChatTurn>();
        foreach (var content in message.Contents)
            switch (content)
            {
                case TextContent part: text += part.Text; break;
                case FunctionCallContent call when message.Role == ChatRole.Assistant: calls.Add(new ChatCall(call.Name, Serialize(call.Arguments ?? new Dictionary<string, object?>()))); break;
                case FunctionResultContent result when message.Role == ChatRole.Tool: results.Add(new ChatTurn("tool", TextOf(result.Result))); break;
                case UsageContent: break;
                default: throw new NotSupportedException($"Chat: a message of role \"{message.Role}\" holds {content.GetType().Name}, which is not supported there. Leave it out.");
            }
        if (results.Count == 0 || text.Length > 0) yield return new ChatTurn(message.Role.Value, text, calls.Count > 0 ? calls.DrainToImmutable() : null);
        foreach (var result in results) yield return result;
    }

    /// <summary>A function's result as its text, or as JSON when it is none.</summary>
    private static string TextOf(object? result) => result switch
    {
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
        _ => Serialize(result),
    };

    private static string Serialize(object? value) => JsonSerializer.Serialize(value, s_oneLine);
}
