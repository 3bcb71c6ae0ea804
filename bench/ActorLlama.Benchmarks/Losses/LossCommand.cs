using System.ComponentModel;
using System.Globalization;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.Text;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Benchmarks.Losses;

/// <summary>What holding weights in 8 bits costs: the loss on a text, beside that of the weights as they are stored.</summary>
internal sealed class LossCommand : Command<LossCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--model <DIR>")]
        [Description("A checkpoint with a tokenizer. Default: models/bard.")]
        public string Model { get; init; } = "models/bard";

        [CommandOption("--text <FILE>", isRequired: true)]
        [Description("A text in UTF-8.")]
        public string Text { get; init; } = "";

        [CommandOption("--last <SHARE>")]
        [Description("The part of it, at its end, that is looked at. Default: 0.05.")]
        public double Last { get; init; } = 0.05;

        [CommandOption("--window <N>")]
        [Description("Tokens that are looked at together. Default: 320.")]
        public int Window { get; init; } = 320;

        public override ValidationResult Validate() =>
            !(Last is > 0 and <= 1) ? ValidationResult.Error($"--last is {Last}; it is above 0 and at most 1.")
            : Window < 2 ? ValidationResult.Error($"--window is {Window}; it is at least 2.")
            : ValidationResult.Success();
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        using var checkpoint = CheckpointDirectory.Open(settings.Model);
        var tokenizer = LlamaTokenizer.Load(
            checkpoint.TokenizerPath ?? throw new InvalidDataException($"Bench: \"{settings.Model}\" has no tokenizer. Choose a model with one."),
            new TokenizerOptions(checkpoint.Config.VocabSize));
        var text = File.ReadAllText(settings.Text);
        var ids = tokenizer.Encode(text[(int)(text.Length * (1 - settings.Last))..]);
        foreach (var weights in Enum.GetValues<WeightType>())
        {
            using var backend = new CpuBackend(0, Environment.ProcessorCount, ActivationType.Float32, checkpoint.Config, weights);
            using var decoder = LlamaDecoder.Load(backend, checkpoint.Config, checkpoint);
            var (loss, tokens) = Loss(backend, decoder, ids, settings.Window, cancellationToken);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{weights,-8} {loss:0.00000} nats a token over {tokens} tokens, {decoder.Bytes / 1e6:0.0} MB of weights"));
        }
        return 0;
    }

    /// <summary>The mean over all tokens but the first of each window.</summary>
    private static (double Loss, int Tokens) Loss(CpuBackend backend, LlamaDecoder decoder, int[] ids, int window, CancellationToken cancellation)
    {
        var (sum, count) = (0.0, 0);
        foreach (var part in ids.Chunk(window).Where(part => part.Length > 1))
        {
            cancellation.ThrowIfCancellationRequested();
            using var cache = decoder.NewCache();
            using var logits = decoder.Forward(new RowBatch([new SequenceRows(cache, 0, part.Length)]), part, [.. Enumerable.Range(0, part.Length - 1)]);
            var row = new float[logits.Width];
            for (var position = 0; position + 1 < part.Length; position++, count++)
            {
                backend.CopyRow(logits, position, row);
                sum -= TokenLikelihood.Of(row, part[position + 1], 0).LogProb;
            }
        }
        return (sum / count, count);
    }
}
