using ActorLlama.Planning.Placement;
using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>What a person sees on standard error while a cluster starts and loads: a spinner with progress; lines where the cursor cannot move.</summary>
internal static class LoadingView
{
    /// <summary>Runs <paramref name="work"/>, which tells the cluster's status as often as it likes. It gets null where nobody looks.</summary>
    public static async Task<T> WhileAsync<T>(Func<Action<ClusterProtocol.Status>?, Task<T>> work)
    {
        var output = Terminal.Error;
        if (!Screen.IsInteractive || !output.Profile.Out.IsTerminal) return await work(null);
        if (output.Profile.Capabilities.Ansi)
            return await output.Status().Spinner(Spinner.Known.Line).StartAsync(Markup.Escape(Of(null)), context => work(status => context.Status(Markup.Escape(Of(status)))));
        var last = "";
        return await work(status =>
        {
            if (Of(status) is var now && now != last) Console.Error.WriteLine(last = now);
        });
    }

    internal static string Of(ClusterProtocol.Status? status)
    {
        if (status is null) return "Starting";
        var (loaded, total) = LoadProgress.Of(status.Plan, status.Nodes);
        return status.State != ClusterState.Loading || total == 0
            ? $"{status.State}: {status.Reason}"
            : $"Loading: {100 * loaded / total} %, {ByteText.Of(loaded)} of {ByteText.Of(total)}";
    }
}
