using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Akka.Actor;
using ActorLlama.Protocol;

namespace ActorLlama.Client;

/// <summary>
/// The tokens of one session, in order, each once, whatever is lost or dies on the way. Enumerate it once; leaving the loop early or
/// cancelling frees the session. Throws <see cref="GenerationFailedException"/> when the session is refused or fails.
/// </summary>
public sealed class GenerationStream : IAsyncEnumerable<GeneratedToken>
{
    private readonly IActorRef _actor;
    private readonly SessionOutput _output;

    internal GenerationStream(SessionId session, IActorRef actor, SessionOutput output) =>
        (Session, _actor, _output) = (session, actor, output);

    public SessionId Session { get; }

    /// <summary>The ids of the prompt, once the session is open.</summary>
    public Task<ImmutableArray<int>> PromptTokens => _output.Opened.Task;

    /// <summary>
    /// Ends when the session has: also when cancelled (then with <see cref="FinishReason.Cancelled"/>). The tokens must be enumerated
    /// meanwhile: the session waits for a reader who falls far behind.
    /// </summary>
    public Task<GenerationResult> Completion => _output.Completed.Task;

    /// <summary>Stops generating; <see cref="Completion"/> follows within moments. Safe to call again.</summary>
    public void Cancel() => _actor.Tell(SessionClientActor.Stop.Instance);

    /// <summary>Reads the stream to its end.</summary>
    public async Task<GenerationResult> ReadToEndAsync(CancellationToken cancellation = default)
    {
        await foreach (var _ in WithCancellation(cancellation).ConfigureAwait(false)) continue;
        return await Completion.ConfigureAwait(false);
    }

    public async IAsyncEnumerator<GeneratedToken> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        try
        {
            while (await _output.Tokens.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
                while (_output.Tokens.Reader.TryRead(out var token))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    yield return token;
                }
        }
        finally
        {
            if (!Completion.IsCompleted) Cancel();
        }
    }

    private ConfiguredCancelableAsyncEnumerable<GeneratedToken> WithCancellation(CancellationToken cancellation) =>
        TaskAsyncEnumerableExtensions.WithCancellation(this, cancellation);
}
