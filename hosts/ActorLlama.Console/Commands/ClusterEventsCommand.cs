using System.ComponentModel;
using System.Globalization;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama cluster events</c>: a line for each thing that happened, oldest first.</summary>
internal sealed class ClusterEventsCommand : AsyncCommand<ClusterEventsCommand.Settings>
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(10);

    internal sealed class Settings : ClusterSettings
    {
        [CommandOption("--json")]
        [Description("Print lines of JSON.")]
        public bool Json { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var ended = new EndSignals();
        await using var connection = await settings.ConnectAsync(ended.Token);
        foreach (var happened in await connection.GetEventsAsync(s_wait, ended.Token))
        {
            var time = DateTimeOffset.FromUnixTimeMilliseconds(happened.UtcMs);
            if (settings.Json) JsonLine.Write(new { time = time.ToString("O", CultureInfo.InvariantCulture), kind = $"{happened.Kind}", node = happened.Node, text = happened.Text });
            else Console.Out.WriteLine($"{time.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture)}Z {happened.Kind,-10} {(happened.Node.Length > 0 ? $"{happened.Node}: " : "")}{happened.Text}");
        }

        return 0;
    }
}
