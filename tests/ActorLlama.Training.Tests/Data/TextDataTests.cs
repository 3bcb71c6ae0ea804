using ActorLlama.Training.Data;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Training.Tests.Data;

/// <summary>Documents are made of ids that occur once each, so that each can be followed; 0 begins a document.</summary>
public sealed class TextDataTests
{
    private sealed record Case(int[] Lengths, int Slots, int Length, bool Packing, int? Seed);

    private static readonly Arbitrary<Case> s_cases = (
        from lengths in Gen.Choose(1, 30).ListOf().Where(list => list.Count > 0)
        from slots in Gen.Choose(1, 5)
        from length in Gen.Choose(1, 12)
        from packing in Gen.Elements(true, false)
        from seed in Gen.Choose(-1, 5)
        select new Case([.. lengths], slots, length, packing, seed < 0 ? null : seed)).ToArbitrary();

    [Property(MaxTest = 300)]
    public Property Each_id_is_the_target_of_one_position_of_each_epoch() => Prop.ForAll(s_cases, drawn =>
    {
        var data = Of(drawn);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var rows = Enumerable.Range(0, (int)data.ExamplesPerEpoch).Select(i => epoch * data.ExamplesPerEpoch + i).Select(n => data.Rows(n / drawn.Slots, (int)(n % drawn.Slots)));
            var targets = rows.SelectMany(row => row.Targets.Where((_, i) => row.Counts[i])).Order();
            if (!targets.SequenceEqual(Enumerable.Range(1, drawn.Lengths.Sum()))) return false.Label($"epoch {epoch}");
        }
        return true.ToProperty();
    });

    [Property(MaxTest = 300)]
    public Property Inputs_targets_segments_and_positions_belong_together() => Prop.ForAll(s_cases, Gen.Choose(0, 20).ToArbitrary(), (drawn, step) =>
    {
        var (data, documentOf) = (Of(drawn), DocumentOf(drawn));
        var batch = data.Batch(step);
        for (var i = 0; i < batch.Inputs.Length; i++)
        {
            var (input, target, segment) = (batch.Inputs[i], batch.Targets[i], batch.Segmentation[i]);
            if (segment == 0)
            {
                if (batch.Counts[i] || input != 0 || target != 0) return false.Label("padding");
                continue;
            }
            // What a position predicts is the next id of its document, and the position behind it in the row has it as its input.
            if (batch.Counts[i] && input != 0 && target != input + 1) return false.Label("target");
            var isLastOfRow = i % drawn.Length == drawn.Length - 1;
            if (batch.Counts[i] && !isLastOfRow && batch.Segmentation[i + 1] == segment && batch.Inputs[i + 1] != target) return false.Label("next");
            if (!batch.Counts[i] && !drawn.Packing) return false.Label("single");
            if (!batch.Counts[i] && documentOf[input] == documentOf.GetValueOrDefault(input + 1)) return false.Label("end");
            var begins = i % drawn.Length == 0 || batch.Segmentation[i - 1] != segment;
            if (batch.Positions[i] != (begins ? 0 : batch.Positions[i - 1] + 1)) return false.Label("position");
            if (begins && i % drawn.Length > 0 && segment != batch.Segmentation[i - 1] + 1) return false.Label("segment");
            if (begins && (!drawn.Packing || i % drawn.Length > 0) && input != 0) return false.Label("begin");
        }
        return true.ToProperty();
    });

    [Property(MaxTest = 200)]
    public Property A_slot_holds_the_same_whoever_asks_for_it_and_when() => Prop.ForAll(s_cases, Gen.Choose(0, 30).ToArbitrary(), (drawn, step) =>
    {
        var straight = Of(drawn);
        foreach (var before in Enumerable.Range(0, step)) straight.Batch(before);
        var (batch, resumed) = (straight.Batch(step), Of(drawn));
        for (var slot = drawn.Slots - 1; slot >= 0; slot--)
            if (!Same(batch.Take(slot), resumed.Rows(step, slot))) return false.Label($"slot {slot}");
        return Same(batch, resumed.Batch(step)).ToProperty();
    });

    [Fact]
    public void Rows_begin_elsewhere_in_the_next_epoch_and_order_depends_on_the_seed()
    {
        var one = Of(new Case([1000], 1, 10, true, 3));
        var (first, second) = (Starts(one, 0), Starts(one, 1));
        Assert.NotEqual(first, second);
        Assert.NotEqual(first.Order(), second.Order());
        Assert.NotEqual(first, Starts(Of(new Case([1000], 1, 10, true, 4)), 0));
        Assert.Equal([0, 10, 20, 30], Starts(Of(new Case([1000], 1, 10, true, null)), 1).Take(4));

        static int[] Starts(TextData data, long epoch) =>
            [.. Enumerable.Range(0, (int)data.ExamplesPerEpoch).Select(i => data.Batch(epoch * data.ExamplesPerEpoch + i).Inputs[0])];
    }

    [Fact]
    public void Behind_the_only_epoch_of_an_evaluation_there_is_padding()
    {
        var data = new TextData(Text([7, 5]), slots: 4, length: 5, packing: false, shuffleSeed: null, repeats: false);
        Assert.Equal((3, 1), (data.ExamplesPerEpoch, data.StepsPerEpoch));
        Assert.Equal(12, data.Batch(0).TotalWeights);
        Assert.Equal(0, data.Batch(0).Take(3).TotalWeights);
        Assert.Equal(0, data.Batch(1).TotalWeights);
    }

    [Theory]
    [InlineData(65536, 2)]
    [InlineData(65537, 4)]
    public void Ids_take_two_bytes_where_they_can(int vocabulary, int bytes)
    {
        var ids = new TokenList(vocabulary);
        for (var i = 0; i < (1 << 20) + 5; i++) ids.Add(i % vocabulary);
        Assert.Equal((1 << 20) + 5, ids.Count);
        Assert.Equal(2L * (1 << 20) * bytes, ids.Bytes);
        foreach (var at in (int[])[0, 65535, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 4]) Assert.Equal(at % vocabulary, ids[at]);
        Assert.Throws<ArgumentOutOfRangeException>(() => ids[(1 << 20) + 5]);
    }

    private static bool Same(TrainingBatch a, TrainingBatch b) => a.Inputs.SequenceEqual(b.Inputs) && a.Targets.SequenceEqual(b.Targets)
        && a.Positions.SequenceEqual(b.Positions) && a.Segmentation.SequenceEqual(b.Segmentation) && a.Counts.SequenceEqual(b.Counts);

    private static TextData Of(Case drawn) => new(Text(drawn.Lengths), drawn.Slots, drawn.Length, drawn.Packing, drawn.Seed);

    private static TokenizedText Text(int[] lengths)
    {
        var (ids, starts, next) = (new TokenList(1 << 20), new List<long>(), 1);
        foreach (var length in lengths)
        {
            starts.Add(ids.Count);
            ids.Add([0, .. Enumerable.Range(next, length)]);
            next += length;
        }
        return new TokenizedText(ids, starts, lengths.Sum());
    }

    private static Dictionary<int, int> DocumentOf(Case drawn) => drawn.Lengths
        .SelectMany((length, document) => Enumerable.Repeat(document + 1, length)).Select((document, i) => (Id: i + 1, document)).Append((Id: 0, -1)).ToDictionary(pair => pair.Id, pair => pair.Item2);
}
