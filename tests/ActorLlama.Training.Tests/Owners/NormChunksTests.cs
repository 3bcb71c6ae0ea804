using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Training.Tests;

public sealed class NormChunksTests
{
    private static readonly LlamaConfig Maverick =
        LlamaConfigReader.Read(File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "config", "models", "tiny-maverick.json"))).Config;

    [Fact]
    public void Every_element_belongs_to_one_owner_however_pieces_are_dealt()
    {
        var chunks = new NormChunks(7, Maverick.Experts);
        int[][] dealt = [[0, 1, 4], [2, 6], [3, 5]];

        var ranges = dealt.SelectMany(pieces => chunks.TrunkOf(Maverick, pieces)).Concat(chunks.ExpertsOf(Maverick, 0, 3)).Concat(chunks.ExpertsOf(Maverick, 3, 5))
            .ToLookup(range => range.Parameter.Name);

        foreach (var parameter in ParameterTable.Of(Maverick).Parameters)
        {
            var at = 0L;
            foreach (var range in ranges[parameter.Name].OrderBy(range => range.Start))
            {
                Assert.Equal(at, range.Start);
                at = range.End;
            }
            Assert.Equal(parameter.Elements, at);
            Assert.Equal(parameter.Elements, chunks.Of(parameter).Sum(chunk => chunk.Elements));
        }
        // Pieces 0 and 1 touch, 4 does not.
        Assert.Equal(2, chunks.TrunkOf(Maverick, dealt[0]).Count(range => range.Parameter.Name == ParameterNames.Embed));
    }
}
