using ActorLlama.TestKit;

namespace ActorLlama.Cli.Tests;

public sealed class GoldenCaseTests
{
    [SharedFact]
    public void Both_parts_of_a_fixture_are_read()
    {
        var golden = GoldenCase.Read(Shared.PathOf("fixtures", "tiny-scout", "expected.safetensors"));
        Assert.Equal([48, 48], golden.Prefill!.Sequences.Select(s => s.Length));
        Assert.Equal((2 * 48 * 512, 512), (golden.Prefill.Logits.Length, golden.Prefill.Width));
        Assert.Equal((10, 40, 40 * 512), (golden.Decode!.Prompt.Length, golden.Decode.Tokens.Length, golden.Decode.Logits!.Length));
    }

    [SharedFact]
    public void A_file_with_neither_part_is_refused_by_name()
    {
        var path = Shared.PathOf("fixtures", "moe", "block.safetensors");
        var fault = Assert.Throws<InvalidDataException>(() => GoldenCase.Read(path));
        Assert.Contains(path, fault.Message, StringComparison.Ordinal);
        Assert.Contains("\"decode.tokens\"", fault.Message, StringComparison.Ordinal);
    }
}
