using System.Text;
using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

public sealed class ParameterTableTests
{
    [Theory]
    [InlineData("llama4-17b-16e", 107_769_861_120, 17_172_894_720)]
    [InlineData("llama4-17b-128e", 400_711_848_960, 17_184_691_200)]
    [InlineData("bard", 12_991_680, 0)]
    public void Totals_equal_the_published_counts(string shape, long total, long active)
    {
        var table = ParameterTable.Of(ModelShapes.Read(shape));
        Assert.Equal(total, table.Total);
        if (active > 0) Assert.Equal(active, table.ActivePerToken);
    }

    [Fact]
    public void Shapes_of_every_config_equal_the_recorded_list()
    {
        var text = new StringBuilder();
        foreach (var name in ModelShapes.Names)
        {
            text.Append("# ").Append(name).Append('\n');
            foreach (var parameter in ParameterTable.Of(ModelShapes.Read(name)).Parameters)
                text.Append(parameter.Name).Append(" [").AppendJoin(',', parameter.Shape).Append("]\n");
        }
        var recorded = Path.Combine(Shared.RepositoryRoot, "tests", "ActorLlama.Model.Tests", "Weights", "shapes.txt");
        Assert.True(File.ReadAllText(recorded) == text.ToString(), $"Parameters differ from \"Weights/shapes.txt\". They now are:\n{text}");
    }

    [Fact]
    public void Tied_embeddings_have_no_head()
    {
        var table = ParameterTable.Of(ModelShapes.Read("bard") with { TieEmbeddings = true });
        Assert.Null(table.Find(ParameterNames.LmHead));
        Assert.Equal(12_991_680 - 4096 * 192, table.Total);
    }

    [Fact]
    public void A_tensor_of_another_shape_is_refused_with_both_shapes()
    {
        var table = ParameterTable.Of(ModelShapes.Read("bard"));
        table.Check(ParameterNames.Router(0), new MemoryTensor("router", ElementType.BFloat16, [8, 192], 0));
        var fault = Assert.Throws<InvalidDataException>(
            () => table.Check(ParameterNames.Router(0), new MemoryTensor("model.router", ElementType.BFloat16, [192, 8], 0)));
        Assert.Contains("\"model.router\" has shape [192,8], but the config wants [8,192]", fault.Message, StringComparison.Ordinal);
    }
}
