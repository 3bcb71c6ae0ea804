using ActorLlama.Kernels;

namespace ActorLlama.Model;

/// <summary>Rows of float32 side by side in native memory; with bfloat16 activations each value is one that bfloat16 can hold.</summary>
internal sealed unsafe class CpuActivation(NativePool pool, int rows, int width) : Activation(rows, width)
{
    private readonly nint _memory = pool.Rent((long)rows * width * sizeof(float));

    public float* Values
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            return (float*)_memory;
        }
    }

    public float* Row(int row) => Values + (long)row * Width;

    protected override void Release() => pool.Return(_memory, (long)Rows * Width * sizeof(float));
}
