using System.Reflection;
using ActorLlama.TestKit;
using NetArchTest.Rules;

namespace ActorLlama.Architecture.Tests;

/// <summary>Holds the arrows between projects: a project references only what its row names.</summary>
public sealed class DependencyTests
{
    private static readonly Dictionary<string, string[]> s_mayReference = new()
    {
        ["Kernels"] = [],
        ["Model"] = ["Kernels"],
        ["Text"] = [],
        ["Protocol"] = [],
        ["Planning"] = ["Protocol"],
        ["Checkpoints"] = ["Model", "Kernels"],
        ["Trust"] = [],
        ["Runtime"] = ["Model", "Kernels", "Protocol", "Planning", "Checkpoints", "Text", "Trust"],
        ["Training"] = ["Runtime", "Model", "Kernels", "Protocol", "Planning", "Checkpoints", "Text"],
        ["Client"] = ["Protocol", "Text", "Trust"],
        ["Node"] = ["Training", "Runtime", "Model", "Kernels", "Protocol", "Planning", "Checkpoints", "Text"],
    };

    /// <summary>Libraries that must not appear: what keeps a layer pure.</summary>
    private static readonly Dictionary<string, string[]> s_mayNotUse = new()
    {
        ["Kernels"] = ["Akka", "MessagePack"],
        ["Model"] = ["Akka", "MessagePack"],
        ["Text"] = ["Akka", "MessagePack", "TorchSharp"],
        ["Protocol"] = ["TorchSharp"],
        ["Planning"] = ["Akka", "TorchSharp"],
        ["Checkpoints"] = ["Akka", "MessagePack"],
        ["Trust"] = ["TorchSharp", "MessagePack"],
        ["Client"] = ["TorchSharp"],
    };

    public static TheoryData<string> Projects => [.. s_mayReference.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_references_only_what_its_row_names(string project)
    {
        var allowed = s_mayReference[project].Select(Name).ToHashSet();
        var referenced = Load(project).GetReferencedAssemblies().Select(r => r.Name!).Where(n => n.StartsWith("ActorLlama.", StringComparison.Ordinal));
        Assert.Empty(referenced.Except(allowed));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_uses_no_library_that_its_layer_must_not_know(string project)
    {
        foreach (var library in s_mayNotUse.GetValueOrDefault(project, []))
        {
            var result = Types.InAssembly(Load(project)).ShouldNot().HaveDependencyOn(library).GetResult();
            Assert.True(result.IsSuccessful, $"{project} uses {library} in {string.Join(", ", result.FailingTypeNames ?? [])}");
        }
    }

    [Fact]
    public void Every_project_under_src_has_a_row()
    {
        var projects = Directory.GetDirectories(Path.Combine(Shared.RepositoryRoot, "src")).Select(d => Path.GetFileName(d)!["ActorLlama.".Length..]);
        Assert.Empty(projects.Except(s_mayReference.Keys));
    }

    [Fact]
    public void Every_project_under_src_has_a_short_readme()
    {
        foreach (var folder in Directory.GetDirectories(Path.Combine(Shared.RepositoryRoot, "src")))
        {
            var readme = Path.Combine(folder, "README.md");
            Assert.True(File.Exists(readme), $"'{Path.GetFileName(folder)}' has no README.md");
            Assert.InRange(File.ReadAllLines(readme).Length, 3, 40);
        }
    }

    private static Assembly Load(string project) => Assembly.Load(Name(project));

    private static string Name(string project) => $"ActorLlama.{project}";
}
