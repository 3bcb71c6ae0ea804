using TorchSharp;
using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// Sums of tensors. The binding's own <c>+</c>, <c>add</c> and <c>add_</c> pass a factor of 1 that they make of a plain number and do not keep alive: the garbage collector has
/// freed it in the middle of the call.
/// </summary>
public static class TorchSums
{
    /// <summary>a + b.</summary>
    public static Tensor Plus(this Tensor a, Tensor b)
    {
        using Scalar one = 1;
        return a.add(b, one);
    }

    /// <summary>a + b; the caller keeps <paramref name="b"/> alive.</summary>
    public static Tensor Plus(this Tensor a, Scalar b)
    {
        using Scalar one = 1;
        return a.add(b, one);
    }

    /// <summary>a += b, and a again.</summary>
    public static Tensor PlusInPlace(this Tensor a, Tensor b)
    {
        using Scalar one = 1;
        return a.add_(b, one);
    }

    /// <summary>a += b, and a again; the caller keeps <paramref name="b"/> alive.</summary>
    public static Tensor PlusInPlace(this Tensor a, Scalar b)
    {
        using Scalar one = 1;
        return a.add_(b, one);
    }
}
