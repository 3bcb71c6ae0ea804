using System.Text;
using ActorLlama.Node;

namespace ActorLlama.Cli.Tests;

/// <summary>The command line that a node starts itself again with.</summary>
public sealed class OwnProgramTests
{
    private const string Seeds = "actorllama.cluster.seeds=";

    [Fact]
    public void It_is_its_own_and_names_the_others_as_seeds_once()
    {
        string[] own = ["dotnet", "actorllama.dll", "node", "--config", "a b.conf", $"{Seeds}[]", "actorllama.node.name="];
        var first = OwnProgram.Arguments(Line(own), ["akka.tcp://actorllama@127.0.0.1:1", "akka.tcp://actorllama@127.0.0.1:2"]);
        Assert.Equal([.. own[..5], own[6], $"{Seeds}[\"akka.tcp://actorllama@127.0.0.1:1\",\"akka.tcp://actorllama@127.0.0.1:2\"]"], first.AsEnumerable());
        Assert.Equal([.. own[..5], own[6], $"{Seeds}[\"akka.tcp://actorllama@127.0.0.1:3\"]"], OwnProgram.Arguments(Line([.. first]), ["akka.tcp://actorllama@127.0.0.1:3"]).AsEnumerable());
    }

    [Fact]
    public void Alone_it_is_as_it_was() => Assert.Equal(["dotnet", "actorllama.dll", "node", $"{Seeds}[]"], OwnProgram.Arguments(Line(["dotnet", "actorllama.dll", "node", $"{Seeds}[]"]), []).AsEnumerable());

    private static byte[] Line(string[] arguments) => Encoding.UTF8.GetBytes(string.Concat(arguments.Select(a => $"{a}\0")));
}
