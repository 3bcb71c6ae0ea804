using System.ComponentModel;
using ActorLlama.Protocol;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama chat</c>: the interactive console; with piped input it answers each line and ends.</summary>
internal sealed class ChatCommand : AsyncCommand<ChatCommand.Settings>
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);

    internal sealed class Settings : SamplingSettings
    {
        [CommandOption("--mode <MODE>")]
        [Description("chat or complete. Default: chat if the checkpoint has a chat template.")]
        public string? Mode { get; init; }

        [CommandOption("--nodes <N>")]
        [Description("With --model: how many node processes serve it. Default: 1.")]
        public int? Nodes { get; init; }

        public override ValidationResult Validate() =>
            base.Validate() is { Successful: false } wrong ? wrong
            : Mode is not (null or "chat" or "complete") ? ValidationResult.Error($"--mode is \"{Mode}\"; it is chat or complete.")
            : Nodes is < 1 ? ValidationResult.Error($"--nodes is {Nodes}; it is at least 1.")
            : Nodes is not null && Model is null ? ValidationResult.Error("--nodes goes with --model. Leave it out with --cluster.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var attachment = await LoadingView.WhileAsync(async onStatus =>
        {
            var attached = await settings.AttachAsync(model => new LocalClusterOptions(settings.Nodes ?? 1, model), ended.Token, onStatus);
            if (onStatus is not null) await WaitUntilServingAsync(attached, onStatus, ended.Token);
            return attached;
        });
        if (Screen.IsInteractive) ended.LeaveInterrupts();
        var state = new ChatState(
            settings.Mode is { } mode ? mode == "chat" : attachment.Model.IsInstruct,
            settings.Over(attachment.Model.DefaultSampling), settings.Seed, settings.MaxTokens, ShowStats: true, []);
        await new ChatLoop(attachment, state, ended.Token).RunAsync();
        return ended.Token.IsCancellationRequested ? CommandLine.Interrupted : 0;
    }

    /// <summary>A cluster that still forms or loads is waited for; Ctrl-C ends that. One that cannot serve is left to say so itself.</summary>
    private static async Task WaitUntilServingAsync(Attachment attachment, Action<ClusterProtocol.Status> onStatus, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                var status = await LocalCluster.TryGetStatusAsync(attachment.Connection, cancellation);
                if (status is { State: not (ClusterState.Forming or ClusterState.Loading) }) return;
                if (status is not null) onStatus(status);
                await Task.Delay(s_poll, cancellation);
            }
        }
        catch
        {
            await attachment.DisposeAsync();
            throw;
        }
    }
}
