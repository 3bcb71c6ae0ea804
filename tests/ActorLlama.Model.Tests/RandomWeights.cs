using System.Runtime.InteropServices;

namespace ActorLlama.Model.Tests;

/// <summary>Random weights of any config in memory: norms near 1, matrices scaled to keep activations near 1, bfloat16 or float32.</summary>
internal sealed unsafe class RandomWeights : ITensorSource
{
    private readonly Dictionary<string, MemoryTensor> _tensors = [];

    /// <param name="config">The model.</param>
    /// <param name="seed">Equal seeds give equal weights.</param>
    /// <param name="type">Type of the stored elements.</param>
    /// <param name="fill">A value for all elements of a tensor, or null for random ones.</param>
    public RandomWeights(LlamaConfig config, int seed, ElementType type = ElementType.BFloat16, Func<string, float?>? fill = null)
    {
        var random = new Random(seed);
        foreach (var parameter in ParameterTable.Of(config).Parameters)
        {
            var stored = new MemoryTensor(
                parameter.Name, type, parameter.Shape,
                (nint)NativeMemory.AlignedAlloc((nuint)(parameter.Elements * (type == ElementType.Float32 ? 4 : 2)), 64));
            _tensors.Add(parameter.Name, stored);
            var (center, width) = parameter.Group switch
            {
                ParameterGroup.Norm => (1.0, 0.2),
                ParameterGroup.Embedding => (0.0, 1.0),
                ParameterGroup.Experts => (0.0, 1.7 / Math.Sqrt(parameter.Shape[1])),
                _ => (0.0, 1.7 / Math.Sqrt(parameter.Shape[^1])),
            };
            var constant = fill?.Invoke(parameter.Name);
            for (long i = 0; i < parameter.Elements; i++)
                Set(stored, i, constant ?? (float)(center + width * (2 * random.NextDouble() - 1)));
        }
    }

    public StoredTensor Get(string canonicalName) => _tensors[canonicalName];

    public void Set(string name, long index, float value) => Set(_tensors[name], index, value);

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values) NativeMemory.AlignedFree((void*)tensor.Address);
        _tensors.Clear();
    }

    private static void Set(MemoryTensor tensor, long index, float value)
    {
        if (tensor.Type == ElementType.Float32) ((float*)tensor.Address)[index] = value;
        // Cut, not rounded: any bfloat16 will do, and NaN stays NaN.
        else ((ushort*)tensor.Address)[index] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
    }
}
