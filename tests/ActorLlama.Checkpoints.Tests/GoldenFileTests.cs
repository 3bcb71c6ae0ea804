using System.Runtime.InteropServices;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class GoldenFileTests
{
    private static readonly string[] Scout = ["fixtures", "tiny-scout", "expected.safetensors"];

    [SharedFact]
    public void Golden_values_are_those_of_the_file()
    {
        using var golden = GoldenFile.Open(Shared.PathOf(Scout));
        var independent = IndependentSafetensors.Read(golden.Path);
        Assert.Equal([2L, 48L, 512L], golden.Shape("logits").ToArray());
        Assert.Equal(MemoryMarshal.Cast<byte, float>(independent["logits"]).ToArray(), golden.Floats("logits"));
        Assert.Equal(MemoryMarshal.Cast<byte, long>(independent["input_ids"]).ToArray(), golden.Longs("input_ids"));
        var bits = MemoryMarshal.Cast<byte, ushort>(independent["logits_bf16"]).ToArray();
        Assert.Equal(bits, golden.Floats("logits_bf16").Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)));
        Assert.True(golden.Contains("decode.tokens"));
        Assert.False(golden.Contains("decode.nothing"));
        Assert.Equal(independent.Keys.Order(), golden.Names.Order());
    }

    [SharedFact]
    public void Half_and_double_precision_are_widened_and_rounded()
    {
        using var golden = GoldenFile.Open(Shared.PathOf("fixtures", "training", "tiny-scout.safetensors"));
        var losses = MemoryMarshal.Cast<byte, double>(IndependentSafetensors.Read(golden.Path)["loss"]).ToArray();
        Assert.Equal(11, losses.Length);
        Assert.Equal(losses.Select(loss => (float)loss), golden.Floats("loss"));
        var head = golden.Floats("delta.language_model.lm_head.weight");
        Assert.Equal(512 * 128, head.Length);
        Assert.All(head, value => Assert.Equal(value, (float)(Half)value));
    }

    [SharedFact]
    public void A_missing_tensor_and_a_wrong_type_are_named()
    {
        using var golden = GoldenFile.Open(Shared.PathOf(Scout));
        var missing = Assert.Throws<InvalidDataException>(() => golden.Floats("logit")).Message;
        Assert.Contains("\"logit\"", missing);
        Assert.Contains("expected.safetensors", missing);
        var type = Assert.Throws<InvalidDataException>(() => golden.Longs("logits")).Message;
        Assert.Contains("\"F32\"", type);
        Assert.Contains("it is I64", type);
        Assert.Contains("\"I64\"", Assert.Throws<InvalidDataException>(() => golden.Floats("input_ids")).Message);
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("\"nowhere.safetensors\"", Assert.Throws<FileNotFoundException>(() => GoldenFile.Open("nowhere.safetensors")).Message);
}
