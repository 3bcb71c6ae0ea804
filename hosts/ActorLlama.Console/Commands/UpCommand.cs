using System.ComponentModel;
using ActorLlama.Client;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama up</c>: node processes on this machine until Ctrl-C or SIGTERM.</summary>
internal sealed class UpCommand : AsyncCommand<UpCommand.Settings>
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);

    internal sealed class Settings : LocalClusterSettings
    {
        [CommandOption("--model <DIR>")]
        [Description("The checkpoint folder. Default: models/bard.")]
        public string? Model { get; init; }

        [CommandOption("--logs <DIR>")]
        [Description("Where each node's log goes. Default: a new folder under the temporary one.")]
        public string? Logs { get; init; }

        [CommandOption("--json")]
        [Description("Print lines of JSON instead of a table.")]
        public bool Json { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        try
        {
            await using var cluster = await LocalCluster.StartAsync(settings.OptionsFor(settings.Model ?? ProgramFiles.SampleModel(), settings.Logs), ended.Token);
            Announce(cluster, settings.Json);
            await using var connection = await cluster.ConnectAsync(ended.Token);
            if (settings.Json) await FollowAsync(cluster, connection, s => Tell(s, json: true), ended.Token);
            else if (!Terminal.Out.Profile.Out.IsTerminal)
            {
                var loading = new LoadingReport(new ProgressLines(Console.Out, TimeProvider.System).Report, TimeProvider.System);
                await FollowAsync(cluster, connection, s => Tell(s, json: false), ended.Token, s => loading.Note(s));
            }
            else await ShowAsync(cluster, connection, ended.Token);
        }
        catch (OperationCanceledException) when (ended.Token.IsCancellationRequested)
        {
            // Asked to end: that is success.
        }

        return 0;
    }

    private static void Announce(LocalCluster cluster, bool json)
    {
        if (json)
        {
            JsonLine.Write(new
            {
                address = cluster.Address,
                nodes = cluster.Nodes.Select(n => new { name = n.Name, pid = n.Pid, address = n.Address }),
            });
            return;
        }

        foreach (var node in cluster.Nodes) Console.Out.WriteLine($"{node.Name}  pid {node.Pid}  {node.Address}  log {node.Log}");
    }

    private static void Tell(ClusterProtocol.Status status, bool json)
    {
        if (json) JsonLine.Write(new { state = status.State.ToString() });
        else Console.Out.WriteLine(status.Reason.Length > 0 ? $"{status.State}: {status.Reason}" : status.State.ToString());
    }

    private static Task ShowAsync(LocalCluster cluster, ClusterConnection connection, CancellationToken cancellation) =>
        Terminal.Out.Live(StatusTable.Of(null, cluster.Nodes)).StartAsync(live =>
            FollowAsync(cluster, connection, _ => { }, cancellation, status => live.UpdateTarget(StatusTable.Of(status, cluster.Nodes))));

    /// <summary>Watches until cancelled; throws when the cluster fails before it is ready, or when no process is left.</summary>
    private static async Task FollowAsync(
        LocalCluster cluster, ClusterConnection connection, Action<ClusterProtocol.Status> onChange, CancellationToken cancellation,
        Action<ClusterProtocol.Status>? onStatus = null)
    {
        ClusterState? last = null;
        var wasReady = false;
        while (true)
        {
            var ended = cluster.Nodes.FirstOrDefault(n => n.HasExited);
            if (ended is not null && (!wasReady || cluster.Nodes.All(n => n.HasExited))) throw ended.Fault();
            var status = await LocalCluster.TryGetStatusAsync(connection, cancellation);
            if (status is not null) onStatus?.Invoke(status);
            if (status is not null && status.State != last)
            {
                last = status.State;
                onChange(status);
                wasReady |= last == ClusterState.Ready;
                if (last == ClusterState.Degraded && !wasReady) throw cluster.CannotServe(status);
            }

            await Task.Delay(s_poll, cancellation);
        }
    }
}
