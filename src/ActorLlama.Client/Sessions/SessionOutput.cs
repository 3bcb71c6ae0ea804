using System.Collections.Immutable;
using System.Threading.Channels;

namespace ActorLlama.Client;

/// <summary>Where a session's actor writes and its stream reads.</summary>
internal sealed class SessionOutput
{
    /// <summary>Tokens read ahead of the consumer; beyond it they are not acknowledged, and come again.</summary>
    public const int Capacity = 1024;

    public Channel<GeneratedToken> Tokens { get; } = Channel.CreateBounded<GeneratedToken>(
        new BoundedChannelOptions(Capacity) { SingleWriter = true, SingleReader = true, AllowSynchronousContinuations = false });

    public TaskCompletionSource<ImmutableArray<int>> Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<GenerationResult> Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Finish(GenerationResult result)
    {
        Opened.TrySetResult(result.PromptTokens);
        Completed.TrySetResult(result);
        Tokens.Writer.TryComplete();
    }

    public void Fail(GenerationFailedException failure)
    {
        Opened.TrySetException(failure);
        Completed.TrySetException(failure);
        Tokens.Writer.TryComplete(failure);
        // The stream carries the failure; nobody has to look at the tasks.
        _ = Opened.Task.Exception;
        _ = Completed.Task.Exception;
    }
}
