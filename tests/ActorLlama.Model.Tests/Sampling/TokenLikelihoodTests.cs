namespace ActorLlama.Model.Tests;

public sealed class TokenLikelihoodTests
{
    [Fact]
    public void Log_probabilities_equal_a_log_softmax_in_double()
    {
        var random = new Random(3);
        foreach (var width in new[] { 1, 7, 256, 257, 5000 })
        {
            var logits = new float[width];
            for (var id = 0; id < width; id++) logits[id] = (float)(random.NextDouble() * 40) - 20;
            var mass = logits.Sum(logit => Math.Exp(logit));
            var chosen = random.Next(width);
            var told = TokenLikelihood.Of(logits, chosen, 5);
            Assert.Equal(logits[chosen] - Math.Log(mass), told.LogProb, 2e-6);
            Assert.Equal(Enumerable.Range(0, width).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(5), told.TopIds.AsEnumerable());
            Assert.All(told.TopIds.Zip(told.TopLogProbs), pair => Assert.Equal(logits[pair.First] - Math.Log(mass), pair.Second, 2e-6));
        }
    }

    [Fact]
    public void Equal_logits_are_told_by_ascending_id_and_excluded_ones_as_minus_infinity()
    {
        var told = TokenLikelihood.Of([0, 1, float.NegativeInfinity, 1, 0], 2, 4);
        Assert.Equal([1, 3, 0, 4], told.TopIds.AsEnumerable());
        Assert.Equal(float.NegativeInfinity, told.LogProb);
    }

    [Fact]
    public void With_no_rival_asked_for_only_the_chosen_token_s_is_told()
    {
        var told = TokenLikelihood.Of([1000, 1000], 1, 0);
        Assert.Equal(-MathF.Log(2), told.LogProb, 1e-6f);
        Assert.Empty(told.TopIds);
        Assert.Throws<ArgumentOutOfRangeException>(() => TokenLikelihood.Of([1f], 0, TokenLikelihood.MaxTop + 1));
    }
}
