using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client;

/// <summary>
/// <see cref="IChatClient"/> over a cluster: dialogs in the model's own chat format. Text only; tools are refused with
/// <see cref="NotSupportedException"/>. Owns its connection.
/// </summary>
public sealed class ClusterChatClient(ClusterConnection connection, ClusterProtocol.Model model) : IChatClient
{
    /// <summary>Tokens of an answer when <see cref="ChatOptions.MaxOutputTokens"/> is not set.</summary>
    public const int DefaultMaxTokens = 512;

    private readonly ChatClientMetadata _metadata = new("actorllama", null, model.Name);

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var stream = connection.OpenSession(ChatRequests.From(messages, options, model.DefaultSampling));
        var result = await stream.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, result.Text))
        {
            ResponseId = stream.Session.Value,
            ModelId = model.Name,
            FinishReason = ReasonOf(result),
            Usage = UsageOf(result),
        };
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var stream = connection.OpenSession(ChatRequests.From(messages, options, model.DefaultSampling));
        await foreach (var token in stream.WithCancellation(cancellationToken).ConfigureAwait(false))
            if (token.Text.Length > 0) yield return Update(stream, [new TextContent(token.Text)]);
        var result = await stream.Completion.ConfigureAwait(false);
        var last = Update(stream, [.. Tail(result), new UsageContent(UsageOf(result))]);
        last.FinishReason = ReasonOf(result);
        yield return last;
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        if (serviceType == typeof(ChatClientMetadata)) return _metadata;
        return serviceType.IsInstanceOfType(this) ? this : serviceType.IsInstanceOfType(connection) ? connection : null;
    }

    /// <summary>Closes the connection without waiting for it.</summary>
    public void Dispose() => _ = connection.DisposeAsync().AsTask();

    private ChatResponseUpdate Update(GenerationStream stream, ImmutableArray<AIContent> contents) =>
        new(ChatRole.Assistant, [.. contents]) { ResponseId = stream.Session.Value, MessageId = stream.Session.Value, ModelId = model.Name };

    private static ImmutableArray<AIContent> Tail(GenerationResult result) =>
        result.TailText.Length > 0 ? [new TextContent(result.TailText)] : [];

    private static ChatFinishReason ReasonOf(GenerationResult result) =>
        result.Reason is FinishReason.Length or FinishReason.Expired ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static UsageDetails UsageOf(GenerationResult result) => new()
    {
        InputTokenCount = result.PromptTokens.Length,
        OutputTokenCount = result.Tokens.Length,
        TotalTokenCount = result.PromptTokens.Length + result.Tokens.Length,
    };
}
