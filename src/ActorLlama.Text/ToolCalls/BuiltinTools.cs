using System.Collections.Immutable;

namespace ActorLlama.Text;

/// <summary>The tools whose calls have a form of their own.</summary>
internal static class BuiltinTools
{
    public const string CodeInterpreter = "code_interpreter";

    /// <summary>Written as <c>NAME.call(query="...")</c>.</summary>
    public static ImmutableArray<string> WithQuery { get; } = ["brave_search", "wolfram_alpha", "photogen"];

    public static bool Contains(string name) => name == CodeInterpreter || WithQuery.Contains(name);
}
