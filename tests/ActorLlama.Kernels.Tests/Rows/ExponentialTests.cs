namespace ActorLlama.Kernels.Tests;

public sealed class ExponentialTests
{
    [Fact]
    public void Results_are_right_to_the_last_places_and_the_same_wherever_a_number_stands()
    {
        var numbers = Enumerable.Range(0, 7501).Select(i => -i * 0.0115f).ToArray();
        var results = new float[numbers.Length];
        Exponential.Of(numbers, results);
        Assert.All(numbers.Zip(results), pair => Assert.InRange(pair.Second, Math.Exp(pair.First) * (1 - 2e-7), Math.Exp(pair.First) * (1 + 2e-7)));
        for (var offset = 1; offset < 20; offset++)
        {
            var moved = new float[50];
            Exponential.Of(numbers.AsSpan(offset, 50), moved);
            Assert.Equal(results[offset..(offset + 50)], moved);
        }
    }

    [Fact]
    public void Infinity_gives_zero_and_too_little_room_is_refused()
    {
        float[] numbers = [float.NegativeInfinity, 0];
        Exponential.Of(numbers, numbers);
        Assert.Equal([0, 1], numbers);
        Assert.Throws<ArgumentException>(() => Exponential.Of(numbers, new float[1]));
    }
}
