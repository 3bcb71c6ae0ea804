using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client;

/// <summary>Microsoft.Extensions.AI's messages and options as a request.</summary>
internal static class ChatRequests
{
    /// <summary>
    /// Options that are not set keep the model's <paramref name="defaults"/>. Throws <see cref="NotSupportedException"/> for tools and for
    /// content that is not text.
    /// </summary>
    public static GenerationRequest From(IEnumerable<ChatMessage> messages, ChatOptions? options, SamplingOptions defaults)
    {
        if (options?.Tools is { Count: > 0 } tools)
            throw new NotSupportedException($"Chat: {tools.Count} tools were given, and tools are not supported. Leave them out.");
        var turns = messages.Select(TurnOf).ToList();
        if (options?.Instructions is { Length: > 0 } instructions) turns.Insert(0, new ChatTurn("system", instructions));
        return new GenerationRequest(GenerationRequest.Dialog(turns), options?.MaxOutputTokens ?? ClusterChatClient.DefaultMaxTokens)
        {
            Sampling = new SamplingOptions(
                options?.Temperature ?? defaults.Temperature,
                options?.TopP ?? defaults.TopP,
                options?.TopK ?? defaults.TopK,
                options?.Seed is { } seed ? unchecked((ulong)seed) : (ulong)Random.Shared.NextInt64()),
            StopStrings = [.. options?.StopSequences ?? []],
        };
    }

    private static ChatTurn TurnOf(ChatMessage message) => message.Contents.FirstOrDefault(c => c is not TextContent) is { } other
        ? throw new NotSupportedException($"Chat: a message holds {other.GetType().Name}, and only text is supported. Leave it out.")
        : new ChatTurn(message.Role.Value, message.Text);
}
