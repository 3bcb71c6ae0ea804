namespace ActorLlama.Training.Data;

/// <summary>Batches of text, epoch after epoch. Example n of the run, from 0, is slot n mod <see cref="Slots"/> of step n / <see cref="Slots"/>.</summary>
public sealed class TextData : ITrainingData
{
    private readonly IExamples _examples;
    private readonly int? _shuffleSeed;
    private readonly bool _repeats;

    /// <param name="text">At least one predicted id.</param>
    /// <param name="slots">Sequences of a step.</param>
    /// <param name="length">Positions of a sequence.</param>
    /// <param name="packing">Several documents in one sequence, apart by their segments; otherwise one.</param>
    /// <param name="shuffleSeed">Seed of the order, another one in each epoch; null: the order of the text.</param>
    /// <param name="repeats">False: behind the first epoch there is only padding.</param>
    /// <exception cref="InvalidDataException">The text has no token.</exception>
    public TextData(TokenizedText text, int slots, int length, bool packing, int? shuffleSeed, bool repeats = true)
    {
        if (text.Targets < 1) throw new InvalidDataException("Text: there is no token to predict in it. Name more text in dataset_path.");
        (Text, Slots, Length, _shuffleSeed, _repeats) = (text, slots, length, shuffleSeed, repeats);
        _examples = packing ? new PackedExamples(text, length, shuffleSeed) : new SingleExamples(text, length);
    }

    public TokenizedText Text { get; }

    public int Slots { get; }

    public int Length { get; }

    /// <summary>Sequences of an epoch.</summary>
    public long ExamplesPerEpoch => _examples.Count;

    /// <summary>Steps until each example was there once; the last may hold some of the next epoch's, or padding.</summary>
    public long StepsPerEpoch => (_examples.Count + Slots - 1) / Slots;

    public TrainingBatch Rows(long step, params ReadOnlySpan<int> slots)
    {
        var rows = new RowBuilder(slots.Length, Length);
        for (var i = 0; i < slots.Length; i++)
        {
            var (epoch, index) = Math.DivRem(checked(step * Slots + slots[i]), _examples.Count);
            if (epoch == 0 || _repeats) _examples.Fill(_shuffleSeed is { } seed ? new Shuffle(_examples.Count, seed, epoch)[index] : index, epoch, rows);
            rows.EndRow((i + 1) * Length);
        }
        return rows.ToBatch();
    }
}
