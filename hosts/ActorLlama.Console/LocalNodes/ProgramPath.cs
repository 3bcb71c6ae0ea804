namespace ActorLlama.Cli;

/// <summary>How this program is started again as a child.</summary>
internal static class ProgramPath
{
    /// <summary>The program's assembly.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "actorllama.dll");

    /// <summary>The .NET host that runs it: the one that runs us.</summary>
    public static string DotNet { get; } = FindDotNet();

    private static string FindDotNet()
    {
        if (Environment.ProcessPath is { } self && Path.GetFileNameWithoutExtension(self) == "dotnet") return self;
        var named = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH");
        if (!string.IsNullOrEmpty(named) && File.Exists(named)) return named;
        // shared/Microsoft.NETCore.App/VERSION/ lies three levels below the host.
        var runtime = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        var beside = Path.GetFullPath(Path.Combine(runtime, "..", "..", "..", "dotnet"));
        return File.Exists(beside) ? beside : "dotnet";
    }
}
