using System.ComponentModel;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama chat</c>: the interactive console; with piped input it answers each line and ends.</summary>
internal sealed class ChatCommand : AsyncCommand<ChatCommand.Settings>
{
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
        await using var attachment = await settings.AttachAsync(model => new LocalClusterOptions(settings.Nodes ?? 1, model), ended.Token);
        ended.LeaveInterrupts();
        var state = new ChatState(
            settings.Mode is { } mode ? mode == "chat" : attachment.Model.IsInstruct,
            settings.Over(attachment.Model.DefaultSampling), settings.Seed, settings.MaxTokens, ShowStats: true, []);
        await new ChatLoop(attachment, state, ended.Token).RunAsync();
        return 0;
    }
}
