using System.Collections.Immutable;
using System.Globalization;
using ActorLlama.Client;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>
/// What the console remembers between messages, and its slash commands; without terminal or cluster. <paramref name="IsChat"/>: a dialog in
/// the model's chat format, whose turns so far are <paramref name="Dialog"/>; else each message is completed on its own, and the dialog is kept only to
/// be saved. <paramref name="Seed"/> null: another one for each answer.
/// </summary>
internal sealed record ChatState(
    bool IsChat, SamplingOptions Sampling, ulong? Seed, int MaxTokens, bool ShowStats, ImmutableArray<ChatTurn> Dialog)
{
    public const string Help =
        """
        /help           this text
        /system [TEXT]  what the model is told first; off: nothing
        /temp [T]       temperature; 0 always takes the likeliest token
        /top-p [P]      keep the likeliest tokens up to this probability
        /seed [N|off]   equal seeds give equal text
        /max [N]        tokens of an answer
        /stop [TEXT]    end answers before this text (\n is a line break); off: all
        /stats          show or hide the figures after an answer
        /cluster        nodes, devices, memory, stages and expert shards
        /experts        tokens that each expert of each layer has computed
        /save FILE      write the dialog to a file; /load FILE takes it up again
        /image FILE     not yet
        /reset          forget the dialog
        /quit           end (also Ctrl-D); Ctrl-C stops an answer
        Another line: Alt-Enter, Ctrl-J, or a \ before Enter.
        """;

    private const int MaxStops = 16;
    private const int MaxKept = 2000;

    /// <summary>What the model is told before the dialog, or null.</summary>
    public string? System { get; init; }

    /// <summary>Answers end before the first of these.</summary>
    public ImmutableArray<string> Stops { get; init; } = [];

    /// <summary>What a slash command leads to: the next state, a line to show (or null), and what only the console can do.</summary>
    internal sealed record Step(ChatState Next, string? Say, Request Request = Request.None, string Argument = "");

    internal enum Request
    {
        None = 0,
        ShowCluster = 1,
        Quit = 2,
        ShowExperts = 3,
        Save = 4,
        Load = 5,
    }

    /// <summary>Carries out a message that starts with "/". Unknown ones and bad values change nothing and say so.</summary>
    public Step Run(string line)
    {
        var space = line.AsSpan().IndexOfAny(' ', '\n');
        var (command, value) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
        return command switch
        {
            "/help" => new Step(this, Help),
            "/system" => SetSystem(value),
            "/temp" => SetTemperature(value),
            "/top-p" => SetTopP(value),
            "/seed" => SetSeed(value),
            "/max" => SetMax(value),
            "/stop" => SetStop(value),
            "/stats" => new Step(this with { ShowStats = !ShowStats }, ShowStats ? "figures hidden" : "figures shown"),
            "/cluster" => new Step(this, null, Request.ShowCluster),
            "/experts" => new Step(this, null, Request.ShowExperts),
            "/save" => WithFile(command, value, Request.Save),
            "/load" => WithFile(command, value, Request.Load),
            "/image" => new Step(this, "Images: not yet. The model that is served reads text only."),
            "/reset" => new Step(this with { Dialog = [] }, "forgotten"),
            "/quit" or "/exit" => new Step(this, null, Request.Quit),
            _ => new Step(this, $"\"{command}\" is no command. /help lists them."),
        };
    }

    /// <summary>The request that a message of the user makes.</summary>
    public GenerationRequest RequestFor(string message) => new(IsChat ? GenerationRequest.Dialog(TurnsWith(message)) : GenerationRequest.Text(message), MaxTokens)
    {
        Sampling = Sampling with { Seed = Seed ?? (ulong)Random.Shared.NextInt64() },
        StopStrings = Stops,
    };

    /// <summary>The state after a message was answered, in full or in part. What is kept only to be saved is bounded.</summary>
    public ChatState Answered(string message, string answer)
    {
        var before = !IsChat && Dialog.Length >= MaxKept ? Dialog.RemoveRange(0, 2) : Dialog;
        return this with { Dialog = before.Add(new ChatTurn("user", message)).Add(new ChatTurn("assistant", answer)) };
    }

    private ImmutableArray<ChatTurn> TurnsWith(string message)
    {
        var turns = Dialog.Add(new ChatTurn("user", message));
        return System is { } system ? turns.Insert(0, new ChatTurn("system", system)) : turns;
    }

    private Step SetSystem(string value) =>
        !IsChat ? new Step(this, "/system goes with chat; this model completes text. Begin the text with it instead.")
        : value.Length == 0 ? new Step(this, System is { } now ? $"system: {now}" : "system off")
        : value == "off" ? new Step(this with { System = null }, "system off")
        : new Step(this with { System = value }, $"system: {value}");

    private Step SetStop(string value) =>
        value.Length == 0 ? new Step(this, Stops.IsEmpty ? "stop off" : $"stop: {string.Join(", ", Stops.Select(Quoted))}")
        : value == "off" ? new Step(this with { Stops = [] }, "stop off")
        : Stops.Length == MaxStops ? new Step(this, $"There are {MaxStops} stops already. /stop off forgets them.")
        : Unquoted(value) is var text && Stops.Contains(text) ? new Step(this, $"stop: {Quoted(text)}")
        : new Step(this with { Stops = Stops.Add(text) }, $"stop: {string.Join(", ", Stops.Add(text).Select(Quoted))}");

    private static string Quoted(string text) => $"\"{text.Replace("\n", "\\n", StringComparison.Ordinal)}\"";

    private static string Unquoted(string text) => text.Replace("\\n", "\n", StringComparison.Ordinal);

    private Step WithFile(string command, string value, Request request) =>
        value.Length == 0 ? new Step(this, $"{command} needs the name of a file.") : new Step(this, null, request, value);

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
