using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>One tensor, or the two of a group of experts, as stored (bfloat16 stays bfloat16).</summary>
internal sealed class TorchWeight : Weight
{
    private readonly Tensor _tensor;
    private readonly Tensor? _down;

    /// <summary>Takes the tensors over.</summary>
    /// <param name="tensor">Vector, [out,in] matrix, [V,D] table, or experts' gate_up [n,D,2F].</param>
    /// <param name="down">Experts' down [n,F,D].</param>
    /// <param name="firstExpert">Absolute index of the group's first expert.</param>
    /// <param name="name">Name of <paramref name="tensor"/>, for messages.</param>
    /// <param name="downName">Name of <paramref name="down"/>.</param>
    public TorchWeight(Tensor tensor, Tensor? down = null, int firstExpert = 0, string name = "", string downName = "")
    {
        _tensor = tensor.DetachFromDisposeScope();
        _down = down?.DetachFromDisposeScope();
        FirstExpert = firstExpert;
        Contents = down is null ? [new TorchContents(name, tensor)] : [new TorchContents(name, tensor), new TorchContents(downName, down)];
        Bytes = BytesOf(tensor) + (down is null ? 0 : BytesOf(down));
    }

    public override long Bytes { get; }

    public override long CopiedBytes => Bytes;

    public override IReadOnlyList<TensorData> Contents { get; }

    public int FirstExpert { get; }

    public static Tensor Of(Weight weight) => Own(weight)._tensor;

    public static (Tensor GateUp_ED2F, Tensor Down_EFD, int First) ExpertsOf(Weight weight)
    {
        var own = Own(weight);
        return (own._tensor, own._down ?? throw new ArgumentException("Torch: this weight is not a group of experts.", nameof(weight)), own.FirstExpert);
    }

    public override void Dispose()
    {
        _tensor.Dispose();
        _down?.Dispose();
    }

    private static TorchWeight Own(Weight weight) =>
        weight as TorchWeight ?? throw new ArgumentException($"Torch: a weight of another backend ({weight.GetType().Name}) came in.", nameof(weight));

    private static long BytesOf(Tensor tensor) => tensor.NumberOfElements * tensor.ElementSize;
}
