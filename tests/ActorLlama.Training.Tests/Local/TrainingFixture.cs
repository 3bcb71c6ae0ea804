using System.Runtime.InteropServices;
using ActorLlama.Checkpoints;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Training.Tests;

/// <summary>A tiny model, the reference's ten training steps with it, and trainers of it.</summary>
internal sealed class TrainingFixture : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly HuggingFaceNames _names = new(isMultimodal: true);

    public TrainingFixture(string model)
    {
        // Equal bits are promised for a fixed number of libtorch's threads; and tests run beside each other.
        TorchDevices.LimitThreads(1);
        _checkpoint = CheckpointDirectory.Open(Shared.PathOf("fixtures", model));
        Golden = SafetensorsFixture.Open("fixtures", "training", model + ".safetensors");
        Batch = TrainingBatch.OfTokens(2, 32, Golden.Ids("tokens"));
    }

    public SafetensorsFixture Golden { get; }

    public TrainingBatch Batch { get; }

    public LlamaConfig Config => _checkpoint.Config;

    /// <summary>As the reference trained: peak 1e-2, one step of warm-up, cosine to 1e-3.</summary>
    public static TrainerOptions Options { get; } = new() { LearningRates = new LearningRates(1e-2, 10) };

    /// <param name="options">How.</param>
    /// <param name="change">Changes a parameter's initial values in place; null: none.</param>
    public LocalTrainer Train(TrainerOptions options, Action<string, float[]>? change = null) => new(Config, options, name =>
    {
        var values = Initial(name);
        change?.Invoke(name, values);
        return new ArrayData(_checkpoint.Get(name), values);
    });

    /// <summary>
    /// A trainer that has made the first two updates with gradients that are given, by name: of the mean loss, not clipped. Both are of the initial weights, since the first learning
    /// rate is 0.
    /// </summary>
    public LocalTrainer TrainAfterTwo(IReadOnlyDictionary<string, float[]> gradients)
    {
        var (factor, rate) = (1 / Math.Max(1, Golden.Floats("grad_norm")[0]), Golden.Floats("lr")[1]);
        return new LocalTrainer(
            Config, Options,
            name => Of(name, (w, g) => w - rate * (g / (Math.Abs(g) + 1e-8) + 0.1 * w)),
            name => (Of(name, (_, g) => (0.9 * 0.1 + 0.1) * g), Of(name, (_, g) => (0.95 * 0.05 + 0.05) * g * g)),
            updates: 2);

        ArrayData Of(string name, Func<double, double, double> value) =>
            new(_checkpoint.Get(name), [.. Initial(name).Zip(gradients[name], (w, g) => (float)value(w, factor * g))]);
    }

    /// <summary>Name in the golden data, after "grad." or "delta.".</summary>
    public string KeyOf(string name) => _names.KeyOf(name);

    public float[] Initial(string name) => Values(_checkpoint.Get(name));

    public static float[] Values(TensorData data)
    {
        var bytes = new byte[data.Bytes];
        data.Read(0, bytes);
        return data.Type == ElementType.Float32
            ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
            : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];
    }

    /// <summary>Runs so many steps: all that they told, and the parameters at the end, bit for bit.</summary>
    public (List<StepResult> Steps, Dictionary<string, float[]> Parameters) Run(TrainerOptions options, int steps)
    {
        using var trainer = Train(options);
        var results = Enumerable.Range(0, steps).Select(_ => trainer.Step(Batch)).ToList();
        return (results, trainer.Parameters.ToDictionary(parameter => parameter.Name, parameter => Values(parameter.Data)));
    }

    /// <summary>
    /// The stated tolerance as far as the first update that moves anything. AdamW's first moves have the size of the learning rate whatever the gradient's size, so elements whose
    /// gradient is within rounding of 0 go either way: initial weights moved by one unit in the last place end up as far from the reference as these bounds.
    /// </summary>
    public void CheckLosses(IReadOnlyList<StepResult> steps)
    {
        float[] losses = Golden.Floats("loss"), norms = Golden.Floats("grad_norm"), rates = Golden.Floats("lr");
        for (var i = 0; i < steps.Count; i++)
        {
            if (i <= 2) Near(losses[i], steps[i].Loss, $"loss {i}");
            if (i <= 2) Near(norms[i], steps[i].RawGradNorm, $"gradient norm {i}");
            Within(1e-2, losses[i], steps[i].Loss, $"loss {i}");
            if (i <= 5) Within(0.1 + 0.03 * norms[i], norms[i], steps[i].RawGradNorm, $"gradient norm {i}");
            Assert.Equal(rates[i], steps[i].LearningRate, 1e-8);
            Assert.Null(steps[i].NotFinite);
            Assert.Equal(64, steps[i].TotalWeights);
        }
    }

    public static void Near(double expected, double actual, string what) => Within(1e-5 + 1e-4 * Math.Abs(expected), expected, actual, what);

    public static void Within(double tolerance, double expected, double actual, string what) =>
        Assert.True(Math.Abs(actual - expected) <= tolerance, $"{what} is {actual}, expected {expected} within {tolerance}.");

    public void Dispose() => _checkpoint.Dispose();
}
