namespace ActorLlama.Cli.Tests;

/// <summary>A theory that mounts a disk and so needs root. With <c>CI=true</c> it runs, and fails without.</summary>
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute() => Skip = Environment.IsPrivilegedProcess || Environment.GetEnvironmentVariable("CI") == "true" ? null : "needs root, to mount a small disk";
}
