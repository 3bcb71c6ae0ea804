namespace ActorLlama.Model.Tests;

/// <summary>Check values of spec 2.3 and 2.6.</summary>
public sealed class PositionTests
{
    [Theory]
    [InlineData("llama4-17b-128e", 1, 0.8146172338565447)]
    [InlineData("llama4-17b-128e", 34, 9.384738573703802e-4)]
    [InlineData("llama4-17b-128e", 35, 7.644969883171747e-4)]
    [InlineData("llama4-17b-128e", 63, 2.455140791131609e-6)]
    [InlineData("llama4-17b-16e", 1, 0.8146172338565447)]
    [InlineData("llama4-17b-16e", 34, 9.384738573703802e-4)]
    [InlineData("llama4-17b-16e", 35, 4.7781061769823416e-5)]
    [InlineData("llama4-17b-16e", 63, 1.5344629944572555e-7)]
    public void Frequencies_equal_the_check_values(string shape, int pair, double expected) =>
        Assert.Equal((float)expected, new RotaryAngles(ModelShapes.Read(shape)).Frequencies[pair]);

    [Fact]
    public void Scout_s_scaling_leaves_pairs_0_to_34_and_divides_the_rest_by_16()
    {
        var scout = ModelShapes.Read("llama4-17b-16e");
        var scaled = new RotaryAngles(scout).Frequencies;
        var plain = new RotaryAngles(scout with { RopeScaling = null }).Frequencies;
        for (var pair = 0; pair < 64; pair++) Assert.Equal(pair <= 34 ? plain[pair] : plain[pair] / 16, scaled[pair]);
    }

    [Fact]
    public void Scaling_8_1_4_blends_pairs_29_to_34()
    {
        var scout = ModelShapes.Read("llama4-17b-16e");
        var scaled = new RotaryAngles(scout with { RopeScaling = new(8, 1, 4, 8192) }).Frequencies;
        var plain = new RotaryAngles(scout with { RopeScaling = null }).Frequencies;
        for (var pair = 0; pair < 64; pair++)
        {
            if (pair <= 28) Assert.Equal(plain[pair], scaled[pair]);
            else if (pair >= 35) Assert.Equal(plain[pair] / 8, scaled[pair]);
            else Assert.InRange(scaled[pair], plain[pair] / 8 * 1.0001f, plain[pair] * 0.9999f);
        }
    }

    [Theory]
    [InlineData(0, 1.0)]
    [InlineData(8190, 1.0)]
    [InlineData(8191, 1.0693147180559945)]
    [InlineData(16382, 1.0693147180559945)]
    [InlineData(16383, 1.109861228866811)]
    [InlineData(131071, 1.2833213344056216)]
    [InlineData(1048575, 1.4859812404361672)]
    [InlineData(10485759, 1.7155396301896735)]
    public void Temperature_equals_the_check_values(int position, double expected)
    {
        var scout = ModelShapes.Read("llama4-17b-16e");
        Assert.Equal((float)expected, AttentionTemperature.At(scout, position));
        Assert.Equal(1, AttentionTemperature.At(scout with { TemperatureTuning = false }, position));
    }
}
