using ActorLlama.Protocol;
using static TorchSharp.torch;

namespace ActorLlama.Training;

/// <summary>
/// What one device's pass over its slots needs of the owners of trunk and experts. Tensors that come in stay the caller's and may be freed after the call; what an answer holds is
/// the caller's. Answers that nobody awaits any more are freed by the exchange.
/// </summary>
internal interface IExchange
{
    PhaseClock Clock { get; }

    /// <summary>A segment of the trunk on this device, with parameters gathered from all owners.</summary>
    Answer<TrunkSegment> Gather(int segment, ExchangePass pass);

    /// <summary>What the experts make of a slot's rows [S,D]; row i goes through expert experts[i].</summary>
    Answer<Tensor> RunExperts(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts);

    /// <summary>The gradient of those rows from that of what the experts made of them; the experts keep their own.</summary>
    Answer<Tensor> RunExpertsBackward(int slot, int layer, Tensor rows_SD, ReadOnlyMemory<int> experts, Tensor gradient_SD);

    /// <summary>A slot's gradients of a segment's parameters go to their owners. Awaited where more of them would be too many on their way.</summary>
    Answer<bool> Scatter(int slot, int segment, SegmentGradients gradients);

    /// <summary>Lets the device do what others wait for.</summary>
    Answer<bool> Yield();
}
