using System.ComponentModel;
using System.Text;
using ActorLlama.Text;
using Spectre.Console.Cli;

namespace ActorLlama.Cli;

/// <summary><c>actorllama tokenize</c>: JSON lines in, JSON lines out.</summary>
internal sealed class TokenizeCommand : Command<TokenizeCommand.Settings>
{
    internal sealed class Settings : CommandSettings
    {
        [CommandOption("--tokenizer <FILE>", isRequired: true)]
        [Description("A tokenizer.model.")]
        public string Tokenizer { get; init; } = "";

        [CommandOption("--allow-special")]
        [Description("Read spellings of special tokens as these tokens.")]
        public bool AllowSpecial { get; init; }

        [CommandOption("--decode")]
        [Description("""{"ids"} in, {"text"} out.""")]
        public bool Decode { get; init; }
    }

    public override int Execute(CommandContext context, Settings settings, CancellationToken cancellationToken)
    {
        var tokenizer = LlamaTokenizer.Load(settings.Tokenizer);
        using var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { NewLine = "\n" };
        TokenizeLines.Run(input, output, tokenizer, settings.AllowSpecial, settings.Decode);
        return 0;
    }
}
