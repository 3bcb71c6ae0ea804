using System.Reflection;
using ActorLlama.Client;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary>The verbs, and what a person sees when one fails: one line on standard error and a non-zero exit code.</summary>
internal static class CommandLine
{
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int Interrupted = 130;
    private const string Name = "actorllama";

    /// <summary>The release, and the commit that it was built from where one is known: "1.0.0+a91b4af…".</summary>
    private static string Version =>
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            return await App(AnsiConsole.Console).RunAsync(args);
        }
        catch (CommandAppException e)
        {
            return Fail(WrongUsage, UsageFault.Explain(args, e.Message, App));
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return Fail(Failed, e.Message);
        }
    }

    /// <summary>A person can mend these: the message is all that is shown. Anything else is a fault of ours and shows where it happened.</summary>
    private static bool IsExpected(Exception e) => e
        is InvalidDataException or IOException or UnauthorizedAccessException or LocalNodeException
        or ClusterUnreachableException or GenerationFailedException or SaveFailedException;

    private static int Fail(int exitCode, string message)
    {
        Console.Error.WriteLine($"error: {message.ReplaceLineEndings(" ").Trim()}");
        return exitCode;
    }

    private static CommandApp App(IAnsiConsole console)
    {
        var app = new CommandApp();
        app.Configure(config =>
        {
            config.SetApplicationName(Name);
            config.SetApplicationVersion($"{Name} {Version}");
            config.UseStrictParsing();
            config.PropagateExceptions();
            config.ConfigureConsole(console);
            config.AddCommand<NodeCommand>("node").WithDescription("Run one node of a cluster.");
            config.AddCommand<UpCommand>("up").WithDescription("Run a cluster of node processes on this machine.");
            config.AddCommand<ChatCommand>("chat").WithDescription("Talk to a model in the console.");
            config.AddCommand<DecodeCommand>("decode").WithDescription("Generate once and exit.");
            config.AddCommand<VerifyCommand>("verify").WithDescription("Compare logits and greedy tokens with a golden file.");
            config.AddCommand<PlanCommand>("plan").WithDescription("Show what would go where on given devices.");
            config.AddCommand<TokenizeCommand>("tokenize").WithDescription("JSON lines of text or messages to token ids, and back.");
            config.AddCommand<InitCommand>("init").WithDescription("Write a checkpoint of random weights.");
            config.AddCommand<ConvertCommand>("convert").WithDescription("Turn a checkpoint into another layout.");
            config.AddCommand<InspectCommand>("inspect").WithDescription("Show what a checkpoint or a weight file holds.");
            config.AddCommand<DiffCommand>("diff").WithDescription("Compare two checkpoints tensor by tensor.");
            config.AddCommand<ChecksumCommand>("checksum").WithDescription("Hash a checkpoint's files and compare with its manifest.");
            config.AddCommand<TrainCommand>("train").WithDescription("Train a model from text, or go on with one.");
            config.AddCommand<PlotCommand>("plot").WithDescription("Draw the course of a training run.");
            config.AddCommand<ChaosCommand>("chaos").WithDescription("Kill, freeze and burden a cluster on this machine, and check what its sessions get.");
            config.AddBranch("tokenizer", tokenizer =>
            {
                tokenizer.SetDescription("Make a tokenizer.");
                tokenizer.AddCommand<TokenizerTrainCommand>("train").WithDescription("Learn a tokenizer.model from text.");
            });
            config.AddBranch("cert", cert =>
            {
                cert.SetDescription("Make the certificates by which nodes and clients know each other.");
                cert.AddCommand<CertInitCommand>("init").WithDescription("Make an authority, and certificates for nodes and clients.");
                cert.AddCommand<CertAddCommand>("add").WithDescription("Make certificates for more nodes.");
            });
            config.AddBranch("bench", bench =>
            {
                bench.SetDescription("Measure this machine.");
                bench.AddCommand<BenchKernelsCommand>("kernels").WithDescription("Show what the CPU kernels reach of what this machine can do.");
            });
            config.AddBranch("cluster", cluster =>
            {
                cluster.SetDescription("Look at a running cluster, or save what it holds.");
                cluster.AddCommand<ClusterStatusCommand>("status").WithDescription("Show nodes, plan and state.");
                cluster.AddCommand<ClusterEventsCommand>("events").WithDescription("Show what has happened: who was lost, and how it was mended.");
                cluster.AddCommand<ClusterDrainCommand>("drain").WithDescription("Empty a node while the cluster serves, so that it can be stopped.");
                cluster.AddCommand<ClusterAddCommand>("add").WithDescription("Wait for a node that joins, and give it its share of the model, while the cluster serves.");
                cluster.AddCommand<ClusterRebalanceCommand>("rebalance").WithDescription("Move parts of the model to nodes that hold less, while the cluster serves.");
                cluster.AddCommand<ClusterRollCommand>("roll").WithDescription("Start all nodes again, one after the other, while the cluster serves.");
                cluster.AddCommand<ClusterSaveCommand>("save").WithDescription("Write the model that the cluster holds as a checkpoint.");
            });
        });
        return app;
    }
}
