using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>
/// What the console remembers between lines, and its slash commands; without terminal or cluster. <paramref name="IsChat"/>: a dialog in
/// the model's chat format, whose turns so far are <paramref name="Dialog"/>; else each line is completed on its own.
/// <paramref name="Seed"/> null: another one for each answer.
/// </summary>
internal sealed record ChatState(
    bool IsChat, SamplingOptions Sampling, ulong? Seed, int MaxTokens, bool ShowStats, ImmutableArray<ChatTurn> Dialog)
{
    public const string Help =
        """
        /help           this text
        /temp [T]       temperature; 0 always takes the likeliest token
        /top-p [P]      keep the likeliest tokens up to this probability
        /seed [N|off]   equal seeds give equal text
        /max [N]        tokens of an answer
        /stats          show or hide the figures after an answer
        /cluster        nodes, plan and state
        /reset          forget the dialog
        /quit           end (also Ctrl-D); Ctrl-C stops an answer
        """;

    /// <summary>What a slash command leads to: the next state, a line to show (or null), and what only the console can do.</summary>
    internal sealed record Step(ChatState Next, string? Say, Request Request = Request.None);

    internal enum Request
    {
        None = 0,
        ShowCluster = 1,
        Quit = 2,
    }

    /// <summary>Carries out a line that starts with "/". Unknown ones and bad values change nothing and say so.</summary>
    public Step Run(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var (command, value) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
        return command switch
        {
            "/help" => new Step(this, Help),
            "/temp" => SetTemperature(value),
            "/top-p" => SetTopP(value),
            "/seed" => SetSeed(value),
            "/max" => SetMax(value),
            "/stats" => new Step(this with { ShowStats = !ShowStats }, ShowStats ? "figures hidden" : "figures shown"),
            "/cluster" => new Step(this, null, Request.ShowCluster),
            "/reset" => new Step(this with { Dialog = [] }, "forgotten"),
            "/quit" => new Step(this, null, Request.Quit),
            _ => new Step(this, $"\"{command}\" is no command. /help lists them."),
        };
    }

    /// <summary>The request that a line of the user makes.</summary>
    public GenerationRequest RequestFor(string line) => new(
        IsChat ? GenerationRequest.Dialog(Dialog.Add(new ChatTurn("user", line))) : GenerationRequest.Text(line), MaxTokens)
    {
        Sampling = Sampling with { Seed = Seed ?? (ulong)Random.Shared.NextInt64() },
    };

    /// <summary>The state after a line was answered, in full or in part.</summary>
    public ChatState Answered(string line, string answer) =>
        IsChat ? this with { Dialog = Dialog.Add(new ChatTurn("user", line)).Add(new ChatTurn("assistant", answer)) } : this;

    private Step SetTemperature(string value) =>
        value.Length == 0 ? new Step(this, $"temperature {Sampling.Temperature.ToString(CultureInfo.InvariantCulture)}")
        : TryParse(value, out var t) && t >= 0 ? new Step(this with { Sampling = Sampling with { Temperature = t } }, $"temperature {t}")
        : new Step(this, $"\"{value}\" is no temperature. It is 0 or more.");

    private Step SetTopP(string value) =>
        value.Length == 0 ? new Step(this, $"top-p {Sampling.TopP.ToString(CultureInfo.InvariantCulture)}")
        : TryParse(value, out var p) && p is > 0 and <= 1 ? new Step(this with { Sampling = Sampling with { TopP = p } }, $"top-p {p}")
        : new Step(this, $"\"{value}\" is no top-p. It is above 0 and at most 1.");

    private Step SetSeed(string value) =>
        value.Length == 0 ? new Step(this, Seed is { } now ? $"seed {now}" : "seed off")
        : value == "off" ? new Step(this with { Seed = null }, "seed off")
        : ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? new Step(this with { Seed = seed }, $"seed {seed}")
        : new Step(this, $"\"{value}\" is no seed. It is a whole number, or off.");

    private Step SetMax(string value) =>
        value.Length == 0 ? new Step(this, $"max {MaxTokens}")
        : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var max) && max > 0 ? new Step(this with { MaxTokens = max }, $"max {max}")
        : new Step(this, $"\"{value}\" is no number of tokens. It is 1 or more.");

    private static bool TryParse(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
}
