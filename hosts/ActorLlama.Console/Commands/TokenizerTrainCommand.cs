using System.ComponentModel;
using System.Globalization;
using ActorLlama.Text;
using Spectre.Console;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama tokenizer train</c>: a <c>tokenizer.model</c> from nothing but text.</summary>
internal sealed class TokenizerTrainCommand : AsyncCommand<TokenizerTrainCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--text <PATH>", isRequired: true)]
        [Description("A file of text (UTF-8; .jsonl: lines with a \"text\"), or a folder with .txt and .jsonl files. May be given several times.")]
        public string[] Text { get; init; } = [];

        [CommandOption("--size <N>", isRequired: true)]
        [Description("Entries of the file, at least 256. A model's vocab_size is N + 2048: the special tokens come on top.")]
        public int Size { get; init; }

        [CommandOption("--out <FILE>", isRequired: true)]
        [Description("The file to make, such as tokenizer.model. It does not exist yet.")]
        public string Out { get; init; } = "";

        public override ValidationResult Validate() =>
            Size < TokenizerLearning.FewestEntries ? ValidationResult.Error($"--size is {Size}; it is at least {TokenizerLearning.FewestEntries}, the single bytes.")
            : File.Exists(Out) || Directory.Exists(Out) ? ValidationResult.Error($"--out \"{Out}\" exists. Choose another name, or remove it.")
            : ValidationResult.Success();
    }

    public override async Task<int> ExecuteAsync(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var corpus = TextCorpus.Of(settings.Text);
        var folder = Path.GetDirectoryName(Path.GetFullPath(settings.Out))!;
        if (!Directory.Exists(folder)) throw new InvalidDataException($"Tokenizer: folder \"{folder}\" of --out does not exist. Make it first.");
        await CountProgress.RunAsync((report, cancellation) => TokenizerLearning.Write(
            settings.Out, TokenizerLearning.Learn(corpus, settings.Size, report, cancellation)));
        var tokenizer = LlamaTokenizer.Load(settings.Out);
        var (tokens, bytes) = (0L, 0L);
        foreach (var block in corpus.Read())
        {
            tokens += tokenizer.Encode(block.Text).Length;
            bytes += System.Text.Encoding.UTF8.GetByteCount(block.Text);
        }
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{settings.Size} entries, vocab_size {tokenizer.VocabularySize}; the text has {tokens} tokens of {bytes / (double)Math.Max(1, tokens):0.00} bytes"));
        Console.Out.WriteLine(settings.Out);
        return 0;
    }
}
