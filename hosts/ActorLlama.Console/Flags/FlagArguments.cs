namespace ActorLlama.Cli;

/// <summary>Arguments of a verb that takes MaxText's flags: a settings file if there is one, then <c>key=value</c>.</summary>
internal static class FlagArguments
{
    public const string Description = "MaxText's flags, as key=value, after a settings file if there is one";

    /// <summary>The settings file before the flags, or null.</summary>
    public static string? FileOf(string[] arguments) => arguments is [var first, ..] && !first.Contains('=', StringComparison.Ordinal) ? first : null;

    /// <summary>The flags as they were given, without those of the file. Throws <see cref="InvalidDataException"/>.</summary>
    public static RunFlags GivenOf(string[] arguments) => RunFlags.Parse(arguments.Skip(FileOf(arguments) is null ? 0 : 1));

    /// <summary>The flags as they were given over those of the file. Throws <see cref="InvalidDataException"/>.</summary>
    public static RunFlags AllOf(string[] arguments) => FileOf(arguments) is { } file ? GivenOf(arguments).Over(Cli.FlagFile.Read(file), file) : GivenOf(arguments);

    /// <summary>Tells once, on standard error, which of the flags mean nothing to a verb.</summary>
    public static void TellWithoutEffect(RunFlags flags, FlagUse verb)
    {
        if (string.Join(", ", flags.WithoutEffect(verb)) is { Length: > 0 } names) Console.Error.WriteLine($"without effect here: {names}");
    }
}
