using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>The seam through which training meets the tensors behind <c>TorchBackend</c>'s activations and weights.</summary>
public static class TorchTensors
{
    /// <summary>The device of that name ("cpu", "cuda:0"); <see cref="InvalidDataException"/> when there is none.</summary>
    public static Device Find(string device) => TorchDevices.Find(device);

    /// <summary>What values between two primitives are.</summary>
    public static ScalarType TypeOf(ActivationType type) => TorchMemory.TypeOf(type);

    /// <summary>What weights of that type are.</summary>
    public static ScalarType TypeOf(ElementType type) => TorchMemory.TypeOf(type);

    /// <summary>The tensor behind rows [T, D]; it stays theirs.</summary>
    public static Tensor Of(Activation activation) => TorchActivation.Of(activation);

    /// <summary>Rows that take the tensor [T, D] over.</summary>
    public static Activation Rows(Tensor rows_TD) => new TorchActivation(rows_TD);

    /// <summary>A vector, a matrix [out,in] or a table [V,D] that takes the tensor over.</summary>
    public static Weight Weight(Tensor tensor) => new TorchWeight(tensor);

    /// <summary>Experts from <paramref name="first"/> on that take their tensors over: gate_up [n,D,2F] and down [n,F,D].</summary>
    public static Weight Experts(Tensor gateUp_nD2F, Tensor down_nFD, int first) => new TorchWeight(gateUp_nD2F, down_nFD, first);
}
