using System.Text.Json.Nodes;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Sizes of Maverick's experts, in a sparse file that takes no room (spec trap 32).</summary>
public sealed unsafe class LargeFileTests : IDisposable
{
    private const int Experts = 80, Hidden = 4096, Ffn = 4096;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Experts_beyond_two_to_the_31_bytes_and_elements_are_read_exactly()
    {
        var shape = JsonNode.Parse(TinyShapes.Flat)!.AsObject();
        shape["hidden_size"] = Hidden;
        shape["intermediate_size"] = Ffn;
        shape["num_local_experts"] = Experts;
        File.WriteAllText(_folder.PathOf("config.json"), shape.ToJsonString());
        var key = new HuggingFaceNames(false).KeyOf(ParameterNames.ExpertsGateUp(1));
        var plan = ShardPlan.Of([.. ParameterTable.Of(LlamaConfigReader.Read(shape.ToJsonString()).Config).Parameters
            .Select(p => new TensorToWrite(new HuggingFaceNames(false).KeyOf(p.Name), "BF16", p.Shape, (_, _) => { }))], long.MaxValue).Single();
        const long expertBytes = 2L * Hidden * 2 * Ffn;
        var begin = plan.Header.Length + plan.Tensors.TakeWhile(tensor => tensor.Name != key).Sum(tensor => tensor.Bytes);
        // One expert beyond 2^31 bytes, one beyond 2^31 elements, the last; first and last element of each.
        int[] marked = [33, 65, Experts - 1];
        Assert.True(marked[0] * expertBytes > int.MaxValue && marked[1] * expertBytes / 2 > int.MaxValue);
        using (var file = File.Create(_folder.PathOf("model.safetensors")))
        {
            file.SetLength(plan.FileBytes);
            file.Write(plan.Header);
            foreach (var expert in marked)
            {
                file.Position = begin + expert * expertBytes;
                file.Write([(byte)expert, 0x3F]);
                file.Position = begin + (expert + 1) * expertBytes - 2;
                file.Write([(byte)expert, 0xBF]);
            }
        }

        using var checkpoint = CheckpointDirectory.Open(_folder.Path);
        var tensor = checkpoint.Get(ParameterNames.ExpertsGateUp(1));
        Assert.True(tensor.Elements > int.MaxValue);
        foreach (var expert in marked)
        {
            using var held = tensor.Hold(expert, 1, 0, tensor.Shape[2]);
            Assert.Equal(0, held.CopiedBytes);
            var bits = (ushort*)held[expert];
            var elements = tensor.Shape[1] * tensor.Shape[2];
            Assert.Equal(0x3F00 + expert, bits[0]);
            Assert.Equal(0, bits[1]);
            Assert.Equal(0, bits[elements - 2]);
            Assert.Equal(0xBF00 + expert, bits[elements - 1]);
            Assert.Equal(0, bits[-1]);
        }
    }
}
