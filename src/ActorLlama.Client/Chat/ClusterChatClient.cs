using System.Runtime.CompilerServices;
using ActorLlama.Protocol;
using Microsoft.Extensions.AI;

namespace ActorLlama.Client;

/// <summary>
/// <see cref="IChatClient"/> over a cluster: dialogs in the model's own chat format, with functions that it may call. A call comes as
/// <see cref="FunctionCallContent"/> as soon as it is complete, also behind text; what is neither text nor a function is refused with
/// <see cref="NotSupportedException"/>. Owns its connection.
/// </summary>
public sealed class ClusterChatClient(ClusterConnection connection, ClusterProtocol.Model model) : IChatClient
{
    /// <summary>Tokens of an answer when <see cref="ChatOptions.MaxOutputTokens"/> is not set.</summary>
    public const int DefaultMaxTokens = 512;

    private readonly ChatClientMetadata _metadata = new("actorllama", null, model.Name);

    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = ChatRequests.From(messages, options, model.DefaultSampling);
        var stream = connection.OpenSession(request);
        var answer = new AnswerContents(stream.Session, request.ShowSpecial);
        await foreach (var token in stream.WithCancellation(cancellationToken).ConfigureAwait(false))
            if (answer.Push(token.Text) is { Count: > 0 } contents) yield return Update(stream, contents);
        var result = await stream.Completion.ConfigureAwait(false);
        var last = Update(stream, [.. answer.Finish(result), new UsageContent(UsageOf(result))]);
        last.FinishReason = answer.FinishReason;
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

    private ChatResponseUpdate Update(GenerationStream stream, IEnumerable<AIContent> contents) =>
        new(ChatRole.Assistant, [.. contents]) { ResponseId = stream.Session.Value, MessageId = stream.Session.Value, ModelId = model.Name };

    private static UsageDetails UsageOf(GenerationResult result) => new()
    {
        InputTokenCount = result.PromptTokens.Length,
        OutputTokenCount = result.Tokens.Length,
        TotalTokenCount = result.PromptTokens.Length + result.Tokens.Length,
    };
}
