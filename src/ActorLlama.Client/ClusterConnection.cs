using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster.Tools.Client;
using ActorLlama.Protocol;
using ActorLlama.Trust;

namespace ActorLlama.Client;

/// <summary>
/// A client's connection to a cluster: it enters through one node, learns of others, and goes on through them when that one dies. It is
/// no member and has no vote.
/// </summary>
public sealed class ClusterConnection : IAsyncDisposable
{
    private static readonly TimeSpan s_askAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_saveAnswer = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_savePoll = TimeSpan.FromMilliseconds(200);
    private readonly ActorSystem _system;
    private readonly IActorRef _client;
    private readonly ClusterCredentials? _credentials;

    private ClusterConnection(ActorSystem system, IActorRef client, string address, ClusterCredentials? credentials) =>
        (_system, _client, Address, _credentials) = (system, client, address, credentials);

    /// <summary>The node that was asked first.</summary>
    public string Address { get; }

    /// <summary>
    /// Connects through the node at <paramref name="address"/>. Throws <see cref="InvalidDataException"/> for a malformed address and
    /// <see cref="ClusterUnreachableException"/> when nothing answers there within <paramref name="timeout"/>.
    /// </summary>
    public static Task<ClusterConnection> ConnectAsync(string address, TimeSpan timeout, CancellationToken cancellation = default) =>
        ConnectAsync(address, certificates: null, timeout, cancellation);

    /// <summary>
    /// Like the other, to a cluster whose nodes have certificates: <paramref name="certificates"/> is the folder of a client's, written by <c>actorllama cert init</c>; what is wrong
    /// with it is an <see cref="InvalidDataException"/>. Null: a cluster without.
    /// </summary>
    public static async Task<ClusterConnection> ConnectAsync(
        string address, string? certificates, TimeSpan timeout, CancellationToken cancellation = default)
    {
        var node = ClusterAddress.Parse(address, isEncrypted: certificates is not null);
        var host = ClusterAddress.LocalHostFor(node);
        var credentials = certificates is null ? null : ClusterCredentials.Load(certificates, TimeProvider.System);
        var system = ActorSystem.Create($"{ClusterAddress.System}-client", ClientSettings.For(host, credentials));
        var client = system.ActorOf(ClusterEntrance.Props(node), "cluster");
        var connection = new ClusterConnection(system, client, node.ToString(), credentials);
        try
        {
            await connection.GetModelAsync(timeout, cancellation).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The supervisor's view of the cluster. Throws <see cref="ClusterUnreachableException"/> without an answer in time.</summary>
    public Task<ClusterProtocol.Status> GetStatusAsync(TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<ClusterProtocol.Status>(new ClusterProtocol.GetStatus(), timeout, cancellation);

    /// <summary>What has happened to the cluster, oldest first. Throws <see cref="ClusterUnreachableException"/> without an answer in time.</summary>
    public async Task<ImmutableArray<ClusterProtocol.Event>> GetEventsAsync(TimeSpan timeout, CancellationToken cancellation = default) =>
        (await AskAsync<ClusterProtocol.Events>(new ClusterProtocol.GetEvents(), timeout, cancellation).ConfigureAwait(false)).History;

    /// <summary>
    /// Asks for a node to be emptied while the cluster serves, or for what that would move. Throws <see cref="ClusterUnreachableException"/> without an answer in time. Whether the
    /// node is empty shows in the status.
    /// </summary>
    public Task<ClusterProtocol.Drained> DrainAsync(ClusterProtocol.Drain drain, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<ClusterProtocol.Drained>(drain, timeout, cancellation);

    /// <summary>Asks for parts to move to nodes that hold less, or for what would. Throws <see cref="ClusterUnreachableException"/> without an answer in time.</summary>
    public Task<ClusterProtocol.Rebalanced> RebalanceAsync(bool dryRun, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<ClusterProtocol.Rebalanced>(new ClusterProtocol.Rebalance(dryRun, Guid.NewGuid().ToString("N")), timeout, cancellation);

    /// <summary>Asks for a drained node to end and start again. Throws <see cref="ClusterUnreachableException"/> without an answer in time.</summary>
    public Task<ClusterProtocol.Restarting> RestartAsync(string node, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<ClusterProtocol.Restarting>(new ClusterProtocol.Restart(node), timeout, cancellation);

    /// <summary>What is served. Throws <see cref="ClusterUnreachableException"/> without an answer in time.</summary>
    public Task<ClusterProtocol.Model> GetModelAsync(TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<ClusterProtocol.Model>(new ClusterProtocol.GetModel(), timeout, cancellation);

    /// <summary>
    /// Has the cluster write its model, as it is now, into a new folder that all its nodes find under this full path; returns when it is there, whole. Throws
    /// <see cref="SaveFailedException"/> when it is not, and <see cref="ClusterUnreachableException"/> when nobody answers any more.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="progress">Called several times a second.</param>
    /// <param name="cancellation">Ends the save; nothing of it is left.</param>
    public async Task SaveAsync(string folder, string layout, Action<ClusterProtocol.SaveStatus>? progress, CancellationToken cancellation = default)
    {
        var cluster = await GetStatusAsync(s_saveAnswer, cancellation).ConfigureAwait(false);
        var id = new SaveId(Guid.NewGuid().ToString("N"));
        var status = await AskAsync<ClusterProtocol.SaveStatus>(new ClusterProtocol.Save(id, folder, layout), s_saveAnswer, cancellation).ConfigureAwait(false);
        try
        {
            while (status.Phase is SavePhase.Preparing or SavePhase.Writing or SavePhase.Committing)
            {
                progress?.Invoke(status);
                await Task.Delay(s_savePoll, cancellation).ConfigureAwait(false);
                status = await AskAsync<ClusterProtocol.SaveStatus>(new ClusterProtocol.GetSave(id), s_saveAnswer, cancellation).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await AskAsync<ClusterProtocol.SaveStatus>(new ClusterProtocol.CancelSave(id), s_saveAnswer, CancellationToken.None).ConfigureAwait(false);
            throw;
        }

        progress?.Invoke(status);
        if (status.Phase == SavePhase.Failed) throw new SaveFailedException(status.Reason);
        if (status.Phase == SavePhase.Unknown)
        {
            var name = cluster.Nodes.FirstOrDefault(node => node.Node == cluster.Supervisor)?.Name ?? cluster.Supervisor.Address;
            throw new SaveFailedException(
                $"Save: node \"{name}\", whose supervisor led it, was lost. Folder \"{folder}\" is there only if it is whole; if it is not, save again.");
        }
    }

    /// <summary>
    /// Has the cluster train as these settings say, unless it does already. Throws <see cref="ClusterUnreachableException"/> without an answer in time.
    /// </summary>
    /// <param name="run">The run's identity, chosen by whoever begins it.</param>
    /// <param name="settings">The run's settings as JSON.</param>
    /// <param name="mayHaveBegun">The run was begun before, and whoever coordinated it may be gone.</param>
    /// <param name="timeout">How long to wait for the answer.</param>
    /// <param name="cancellation">Ends the waiting; the run goes on.</param>
    public Task<RunProtocol.Status> StartRunAsync(string run, string settings, bool mayHaveBegun, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<RunProtocol.Status>(new RunProtocol.Start(run, settings, mayHaveBegun), timeout, cancellation);

    /// <summary>Where a run is, with what that coordinator has told of it after number <paramref name="after"/>. Throws as <see cref="StartRunAsync"/>.</summary>
    public Task<RunProtocol.Status> GetRunAsync(string run, string coordinator, long after, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<RunProtocol.Status>(new RunProtocol.Get(run, coordinator, after), timeout, cancellation);

    /// <summary>Has a run end after the step that is being made. Throws as <see cref="StartRunAsync"/>.</summary>
    public Task<RunProtocol.Status> StopRunAsync(string run, TimeSpan timeout, CancellationToken cancellation = default) =>
        AskAsync<RunProtocol.Status>(new RunProtocol.Stop(run), timeout, cancellation);

    /// <summary>Starts generating at once; refusals and failures are thrown by the stream.</summary>
    public GenerationStream OpenSession(GenerationRequest request)
    {
        var session = new SessionId(Guid.NewGuid().ToString("N"));
        var output = new SessionOutput();
        var actor = _system.ActorOf(SessionClientActor.Props(session, request, _client, output, TimeProvider.System), session.Value);
        return new GenerationStream(session, actor, output);
    }

    /// <summary>
    /// Several answers to one prompt: sessions with the same seed whose choices count up from the request's, so that each draws numbers of
    /// its own. Which tokens a choice gets does not depend on how many there are.
    /// </summary>
    public ImmutableArray<GenerationStream> OpenChoices(GenerationRequest request, int choices)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(choices, 1);
        return [.. Enumerable.Range(request.Choice, choices).Select(choice => OpenSession(request with { Choice = choice }))];
    }

    public async ValueTask DisposeAsync()
    {
        await _system.Terminate().ConfigureAwait(false);
        EndedSystem.Free(_system);
        _credentials?.Dispose();
    }

    private async Task<T> AskAsync<T>(IClusterMessage question, TimeSpan timeout, CancellationToken cancellation)
        where T : IClusterMessage
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (clock.Elapsed < timeout)
        {
            var wait = TimeSpan.FromTicks(Math.Min(s_askAgain.Ticks, (timeout - clock.Elapsed).Ticks));
            if (wait <= TimeSpan.Zero) break;
            try
            {
                var envelope = new ClusterClient.Send(ClientSettings.Gate, question, localAffinity: true);
                return await _client.Ask<T>(envelope, wait, cancellation).ConfigureAwait(false);
            }
            catch (AskTimeoutException)
            {
                // Lost on the way, or the contact is being replaced: ask again until the time is up.
            }
        }

        throw new ClusterUnreachableException(
            $"Cluster: no node answered at \"{Address}\" within {timeout.TotalSeconds:0.#} s. Check the address, that a node runs there, and that both sides have certificates of one authority or none.");
    }
}
