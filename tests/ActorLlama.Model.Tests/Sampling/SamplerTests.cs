using ActorLlama.TestKit;

namespace ActorLlama.Model.Tests;

public sealed class SamplerTests
{
    private static readonly Dictionary<string, SamplingSettings> s_references = new()
    {
        ["prob.meta_T0.6_p0.9"] = new(0.6, 0.9, 0, 1),
        ["prob.meta_T1.0_p0.5"] = new(1.0, 0.5, 0, 1),
        ["prob.hf_topk5"] = new(1, 1, 5, 1),
        ["prob.hf_T0.6_p0.9"] = new(0.6, 0.9, 0, 1),
        ["prob.hf_rep1.3_T0.6_k50_p0.9"] = new(0.6, 0.9, 50, 1) { RepetitionPenalty = 1.3 },
        ["prob.maxtext_topk5_T0.6"] = new(0.6, 1, 5, 1),
        ["prob.maxtext_weighted_T0.8"] = new(0.8, 1, 0, 1),
        ["prob.maxtext_nucleus_p0.3_T1.5"] = new(1.5, 0.3, 0, 1) { Nucleus = NucleusRule.UntemperedWithTies },
        ["prob.maxtext_nucleus_p0.9_T0.7"] = new(0.7, 0.9, 0, 1) { Nucleus = NucleusRule.UntemperedWithTies },
        ["prob.maxtext_composite_k20_p0.8_T0.7"] = new(0.7, 0.8, 20, 1) { Nucleus = NucleusRule.Untempered },
    };

    [SharedFact]
    public void Probabilities_equal_those_of_every_reference()
    {
        var golden = SafetensorsFixture.Open("fixtures", "sampling", "cases.safetensors");
        Assert.Equal(s_references.Keys.Order(), golden.Names.Where(name => name.StartsWith("prob.", StringComparison.Ordinal)).Order());
        var (rows, width) = (golden.Shape("logits")[0], golden.Shape("logits")[1]);
        foreach (var (name, settings) in s_references)
            for (var row = 0; row < rows; row++)
            {
                var expected = golden.Floats(name).AsSpan(row * width, width);
                var logits = golden.Floats("logits").AsSpan(row * width, width).ToArray();
                Sampler.Penalize(logits, HistoryOf(golden, row), settings.RepetitionPenalty);
                var actual = Sampler.Probabilities(logits, settings);
                for (var id = 0; id < width; id++)
                {
                    var what = $"{name}, row {row}, id {id}: {actual[id]}, expected {expected[id]}";
                    Assert.True(expected[id] == 0 == (actual[id] == 0), $"{what}: not the same ids are left.");
                    Assert.True(MathF.Abs(actual[id] - expected[id]) <= 1e-5f, what);
                }
            }
    }

    [SharedFact]
    public void Penalized_logits_equal_the_reference_s_bit_for_bit()
    {
        var golden = SafetensorsFixture.Open("fixtures", "sampling", "cases.safetensors");
        var width = golden.Shape("logits")[1];
        for (var row = 0; row < golden.Shape("logits")[0]; row++)
        {
            var logits = golden.Floats("logits").AsSpan(row * width, width).ToArray();
            Sampler.Penalize(logits, HistoryOf(golden, row), 1.3);
            Assert.Equal(golden.Floats("logits_after_rep1.3").AsSpan(row * width, width).ToArray(), logits);
        }
    }

    [Fact]
    public void A_penalty_counts_once_for_each_id_and_only_for_those_of_the_history()
    {
        float[] logits = [3, -3, 3, float.NegativeInfinity, 0];
        Sampler.Penalize(logits, [0, 1, 0, 1, 3, 4], 2);
        Assert.Equal([1.5f, -6, 3, float.NegativeInfinity, 0], logits);
    }

    private static int[] HistoryOf(SafetensorsFixture golden, int row) =>
        golden.Ids("history").AsSpan(row * golden.Shape("history")[1], golden.Shape("history")[1]).ToArray();

    /// <summary>By adding one weight after the other; the numbers here are whole, so sums are exact.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void A_number_is_looked_up_where_the_running_sum_passes_it(int width)
    {
        var random = new Random(width);
        float[] logits = [.. Enumerable.Range(0, width).Select(id => id > 0 && random.Next(3) == 0 ? float.NegativeInfinity : 0)];
        var left = Enumerable.Range(0, width).Where(id => logits[id] == 0).ToArray();
        using var nucleus = new Nucleus(logits, 0, new(1, 1, 0, 0));
        for (var place = 0; place < left.Length; place++)
        {
            Assert.Equal(left[place], nucleus.Invert((place + 0.25) / left.Length));
            Assert.Equal(left[place], nucleus.Invert((place + 0.75) / left.Length));
        }
        Assert.Equal(left[0], nucleus.Invert(0));
        Assert.Equal(left[^1], nucleus.Invert(1));
    }

    [Fact]
    public void Greedy_takes_the_lowest_of_equal_ids() =>
        Assert.Equal(1, Sampler.Choose([0, 5, 5, 2], SamplingSettings.Greedy, 0, 0));

    [Fact]
    public void Equal_logits_enter_the_nucleus_by_ascending_id()
    {
        var probabilities = Sampler.Probabilities([1, 2, 2, 2, -0f, 0f], new(1, 0.3, 0, 0));
        Assert.Equal([1, 2], Enumerable.Range(0, 6).Where(id => probabilities[id] > 0));
        Assert.Equal([1, 2, 3, 0, 4], Enumerable.Range(0, 5).OrderByDescending(k => 0).Select((_, k) => Added(k)));

        static int Added(int k)
        {
            float[] logits = [1, 2, 2, 2, -0f, 0f];
            var with = Sampler.Probabilities(logits, new(1, 1, k + 1, 0));
            var without = k == 0 ? new float[6] : Sampler.Probabilities(logits, new(1, 1, k, 0));
            return Enumerable.Range(0, 6).Single(id => with[id] > 0 && without[id] == 0);
        }
    }

    [Fact]
    public void Frequencies_of_choices_follow_the_probabilities()
    {
        float[] logits = [0.5f, -1, 2, 1, float.NegativeInfinity, 0];
        var settings = new SamplingSettings(0.8, 0.95, 4, 42);
        var probabilities = Sampler.Probabilities(logits, settings);
        const int Draws = 20000;
        var counts = new int[logits.Length];
        for (var position = 0; position < Draws; position++) counts[Sampler.Choose(logits, settings, 0, position)]++;
        for (var id = 0; id < logits.Length; id++) Assert.Equal(probabilities[id], counts[id] / (double)Draws, 0.015);
        Assert.Equal(0, counts[4]);
    }

    [Fact]
    public void A_choice_depends_on_seed_choice_and_position_and_on_nothing_else()
    {
        var logits = new float[200];
        var settings = new SamplingSettings(1, 1, 0, 7);
        var first = Enumerable.Range(0, 50).Select(position => Sampler.Choose(logits, settings, 0, position)).ToArray();
        var again = Enumerable.Range(0, 50).Reverse().Select(position => Sampler.Choose(logits, settings, 0, position)).Reverse();
        Assert.Equal(first, again);
        Assert.NotEqual(first, Enumerable.Range(0, 50).Select(position => Sampler.Choose(logits, settings, 1, position)));
        Assert.NotEqual(first, Enumerable.Range(0, 50).Select(position => Sampler.Choose(logits, settings with { Seed = 8 }, 0, position)));
    }

    [Fact]
    public void A_tiny_temperature_is_greedy()
    {
        Assert.Equal(2, Sampler.Choose([1, 2, 3, 2.5f], new(1e-300, 1, 0, 3), 0, 9));
        Assert.Equal(2, Sampler.Choose([1, 2, 3, 2.5f], new(5e-324, 0.9, 0, 3), 0, 9));
    }

    [Theory]
    [InlineData(-0.1, 1, 0, "temperature -0.1")]
    [InlineData(double.NaN, 1, 0, "temperature NaN")]
    [InlineData(double.PositiveInfinity, 1, 0, "temperature")]
    [InlineData(1, 0, 0, "top-p 0 must be above 0 and at most 1")]
    [InlineData(1, 1.5, 0, "top-p 1.5")]
    [InlineData(1, double.NaN, 0, "top-p NaN")]
    [InlineData(1, 1, -1, "top-k -1")]
    [InlineData(1, 1, 0, "repetition penalty 0", 0)]
    [InlineData(1, 1, 0, "repetition penalty NaN", double.NaN)]
    [InlineData(1, 1, 0, "repetition penalty -1", -1)]
    public void Settings_out_of_range_are_refused(double temperature, double topP, int topK, string part, double penalty = 1)
    {
        var settings = new SamplingSettings(temperature, topP, topK, 0) { RepetitionPenalty = penalty };
        var fault = Assert.Throws<InvalidDataException>(() => Sampler.Choose([1], settings, 0, 0));
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_logit_that_is_no_number_is_refused_by_its_id(float logit)
    {
        var fault = Assert.Throws<InvalidOperationException>(() => Sampler.Choose([1, logit], SamplingSettings.Greedy, 0, 0));
        Assert.Contains("id 1", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_vocabularies_give_the_same_top_k_as_a_full_sort()
    {
        var random = new Random(5);
        var logits = new float[30000];
        for (var id = 0; id < logits.Length; id++) logits[id] = MathF.Round((float)random.NextDouble() * 40) / 8;
        var probabilities = Sampler.Probabilities(logits, new(1, 1, 900, 0));
        var expected = Enumerable.Range(0, logits.Length).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(900).Order();
        Assert.Equal(expected, Enumerable.Range(0, logits.Length).Where(id => probabilities[id] > 0));
    }

    [Theory]
    [InlineData(40, 4)]
    [InlineData(400, 4)]
    [InlineData(4, 40)]
    public void The_nucleus_of_a_large_vocabulary_equals_the_one_of_a_full_sort(int steps, int parts)
    {
        var random = new Random(6);
        var logits = new float[30000];
        for (var id = 0; id < logits.Length; id++) logits[id] = MathF.Round((float)random.NextDouble() * steps) / parts;
        var max = logits.Max();
        foreach (var topP in new[] { 1e-9, 0.3, 0.9, 0.999, 1 - 1e-12 })
        {
            var probabilities = Sampler.Probabilities(logits, new(0.7, topP, 0, 0));
            var order = Enumerable.Range(0, logits.Length).OrderByDescending(id => logits[id]).ThenBy(id => id).ToArray();
            var weights = order.Select(id => Math.Exp((logits[id] - max) / 0.7)).ToArray();
            double sum = 0, total = weights.Sum();
            var count = weights.TakeWhile(weight => (sum += weight) - weight <= topP * total).Count();
            Assert.InRange(probabilities.Count(probability => probability > 0), count - 1, count + 1);
            Assert.All(order.Take(count - 1), id => Assert.True(probabilities[id] > 0));
        }
    }

    [Fact]
    public void An_untempered_nucleus_of_mass_0_keeps_the_greatest_logit_and_its_equals()
    {
        float[] logits = [1, 2, 2, 0];
        Assert.Equal([0, 0.5f, 0.5f, 0], Sampler.Probabilities(logits, new(0.7, 0, 0, 0) { Nucleus = NucleusRule.UntemperedWithTies }));
        Assert.Equal([0, 1, 0, 0], Sampler.Probabilities(logits, new(0.7, 0, 0, 0) { Nucleus = NucleusRule.Untempered }));
    }
}
