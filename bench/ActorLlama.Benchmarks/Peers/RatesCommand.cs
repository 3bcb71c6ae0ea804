using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using ActorLlama.Checkpoints;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>This program alone, as a client sees it, with any settings: what another device, or another option, brings.</summary>
internal sealed class RatesCommand : AsyncCommand<RatesCommand.Settings>
{
    private const int PromptTokens = 512;
    private static readonly int[] s_sequences = [1, 8, 32];

    internal sealed class Settings : CommandSettings
    {
        [CommandArgument(0, "<DIR>")]
        [Description("A checkpoint.")]
        public string Model { get; init; } = "";

        [CommandOption("--rounds <N>")]
        [Description("Of each measure; the median is shown. Default: 5.")]
        public int Rounds { get; init; } = 5;

        [CommandOption("--tokens <N>")]
        [Description("Tokens that a sequence decodes in a round. Default: 64.")]
        public int Tokens { get; init; } = 64;

        [CommandOption("--warm-up <SECONDS>")]
        [Description("Decoding before anything is measured, while code is compiled. Default: 20.")]
        public double WarmUp { get; init; } = 20;

        [CommandArgument(1, "[SETTING]")]
        [Description("key=value settings for the node, such as actorllama.node.devices=[\"cuda:0\"].")]
        public string[] Overrides { get; init; } = [];

        public override ValidationResult Validate() => Rounds < 1 || Tokens < 1
            ? ValidationResult.Error($"--rounds and --tokens are {Rounds} and {Tokens}; each is at least 1.") : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellation)
    {
        int vocabulary;
        using (var checkpoint = CheckpointDirectory.Open(settings.Model)) vocabulary = checkpoint.Config.VocabSize;
        await using var peer = await ActorLlamaPeer.StartAsync(settings.Model, vocabulary, Environment.ProcessorCount, settings.Overrides);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed.TotalSeconds < settings.WarmUp;) await peer.DecodeAsync(s_sequences[^1], settings.Tokens);
        Console.WriteLine($"{"tokens/s",-14}{"median",10}{"least",10}{"most",10}");
        await ShowAsync($"prompt of {PromptTokens}", () => peer.PrefillAsync(PromptTokens));
        foreach (var sequences in s_sequences) await ShowAsync($"decode x{sequences}", () => peer.DecodeAsync(sequences, settings.Tokens));
        return 0;

        async Task ShowAsync(string name, Func<Task<double>> measure)
        {
            // Once unmeasured: memory is touched, pools are filled.
            await measure();
            var rates = new List<double>();
            for (var round = 0; round < settings.Rounds; round++) rates.Add(await measure());
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-14}{Medians.Of(rates),10:0.0}{rates.Min(),10:0.0}{rates.Max(),10:0.0}"));
        }
    }
}
