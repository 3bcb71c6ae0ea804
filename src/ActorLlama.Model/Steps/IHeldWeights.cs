namespace ActorLlama.Model;

/// <summary>A stage's weights by canonical name, each asked for once, and what they take.</summary>
internal interface IHeldWeights : IDisposable
{
    /// <summary>Bytes of all weights asked for so far.</summary>
    long Bytes { get; }

    /// <summary>Those of them that are copies (<see cref="Weight.CopiedBytes"/>).</summary>
    long CopiedBytes { get; }

    /// <summary>Their tensors, by canonical name, in the order asked for (<see cref="Weight.Contents"/>).</summary>
    IEnumerable<(string Name, TensorData Data)> Contents { get; }

    Weight Vector(string name);

    Weight Embedding(string name);

    Weight Linear(string name);

    /// <summary>As <see cref="Linear"/>, never rounded: a token's experts hang on small differences.</summary>
    Weight Router(string name);
}
