using Xunit;

namespace ActorLlama.TestKit;

/// <summary>
/// Where the golden data lies: the folder named by <c>ACTORLLAMA_SHARED</c>, by default <c>../shared</c> beside the repository.
/// </summary>
public static class Shared
{
    public const string Variable = "ACTORLLAMA_SHARED";

    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    public static string Root { get; } = Path.GetFullPath(
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : Path.Combine(RepositoryRoot, "..", "shared"));

    public static bool IsPresent => Directory.Exists(Root);

    /// <summary>The path of a file or folder of the golden data. Throws when the data is absent.</summary>
    public static string PathOf(params string[] parts) => IsPresent
        ? Path.Combine([Root, .. parts])
        : throw new DirectoryNotFoundException($"Golden data: folder '{Root}' does not exist. Put it there or name it in {Variable}.");

    /// <summary>Null when golden-data tests can run; the reason to skip them otherwise. With <c>CI=true</c> they run, and fail.</summary>
    public static string? SkipReason => IsPresent || Environment.GetEnvironmentVariable("CI") == "true"
        ? null
        : $"golden data absent: '{Root}' does not exist; set {Variable}";

    private static string FindRepositoryRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "ActorLlama.sln"))) return at.FullName;
        throw new DirectoryNotFoundException($"Tests: no ActorLlama.sln above '{AppContext.BaseDirectory}'.");
    }
}

/// <summary>A fact that needs the golden data.</summary>
public sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute() => Skip = Shared.SkipReason;
}

/// <summary>A theory that needs the golden data.</summary>
public sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute() => Skip = Shared.SkipReason;
}
