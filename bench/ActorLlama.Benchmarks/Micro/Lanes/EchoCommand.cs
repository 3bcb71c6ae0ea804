using System.ComponentModel;
using ActorLlama.Runtime.Configuration;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>The far end of <see cref="EchoProcess"/>: prints its address, answers until its input ends.</summary>
internal sealed class EchoCommand : AsyncCommand<EchoCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<KIND>")]
        [Description("What answers.")]
        public EchoKind Kind { get; init; }

        [CommandArgument(1, "<BYTES>")]
        [Description("Length of a payload.")]
        public int Bytes { get; init; }

        [CommandArgument(2, "<PORT>")]
        [Description("Of the asking end's lane; 0 for bare sockets.")]
        public int PeerPort { get; init; }

        [CommandArgument(3, "[CERTIFICATES]")]
        [Description("The folder of its certificate: the lane is encrypted.")]
        public string? Certificates { get; init; }
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        ProcessSettings.Apply();
        if (settings.Kind == EchoKind.Raw)
        {
            using var server = new RawEchoServer(settings.Bytes);
            await AnswerAsync(new(server.Port, "-", 0), cancellation);
            return 0;
        }

        await using var node = await EchoNode.StartAsync("b", settings.Certificates);
        node.Meet("a", settings.PeerPort);
        var (_, target) = node.Listen(new LaneServer(node.Lane).Receive, settings.Kind == EchoKind.Actors);
        await AnswerAsync(new(node.Port, target.Path, target.Uid), cancellation);
        return 0;
    }

    private static async Task AnswerAsync(EchoAddress address, CancellationToken cancellation)
    {
        await Console.Out.WriteLineAsync($"{address}");
        await Console.In.ReadToEndAsync(cancellation);
    }
}
