namespace ActorLlama.Training.Data;

/// <summary>A text cut into rows: each predicted id is the target of exactly one position of one row of an epoch.</summary>
internal interface IExamples
{
    /// <summary>Rows of an epoch.</summary>
    long Count { get; }

    /// <summary>Adds what a row holds; what it leaves empty becomes padding.</summary>
    /// <param name="index">Below <see cref="Count"/>.</param>
    /// <param name="epoch">From 0.</param>
    /// <param name="row">Where it goes.</param>
    void Fill(long index, long epoch, RowBuilder row);
}
