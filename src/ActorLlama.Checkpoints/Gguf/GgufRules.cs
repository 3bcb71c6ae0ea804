using System.Globalization;
using ActorLlama.Model;
using static ActorLlama.Checkpoints.Quoting;

namespace ActorLlama.Checkpoints;

/// <summary>
/// What llama.cpp's <c>llama4</c> architecture takes for granted, because its files have no key for it. A model that is otherwise would load there and
/// compute something else, so it is refused; where no position of the model can tell the difference, it is not.
/// </summary>
internal static class GgufRules
{
    private const int Chunk = 8192, RopeInterval = 4, FloorScale = 8192, ExpertsWithoutQkNorm = 128;
    private const double AttnScale = 0.1;

    /// <summary>Throws <see cref="InvalidDataException"/> naming the first value that llama.cpp would not honour.</summary>
    /// <param name="config">The model.</param>
    /// <param name="path">Where it is, for the message.</param>
    public static void Require(LlamaConfig config, string path)
    {
        var (context, chunk) = (config.MaxPositions, config.AttentionChunk ?? int.MaxValue);
        var layers = Enumerable.Range(0, config.Layers).ToList();
        Hold(chunk == Chunk || Math.Min(chunk, Chunk) >= context || !config.UsesRope.Contains(true),
            "attention chunk", config.AttentionChunk?.ToString(CultureInfo.InvariantCulture) ?? "none", $"{Chunk} in a context of {context}");
        Hold(layers.All(layer => config.UsesRope[layer] == ((layer + 1) % RopeInterval != 0)),
            "layers without RoPE", Text(layers.Where(layer => !config.UsesRope[layer])), $"every {RopeInterval}th");
        var step = config.IsMoe.IndexOf(true) + 1;
        Hold(layers.All(layer => config.IsMoe[layer] == (step > 0 && (layer + 1) % step == 0)),
            "MoE layers", Text(layers.Where(layer => config.IsMoe[layer])), "at equal steps");
        Hold(config.QkNorm == (config.Experts != ExpertsWithoutQkNorm), "q/k norm", config.QkNorm ? "on" : "off", $"on, unless there are {ExpertsWithoutQkNorm} experts");
        var isSameTemperature = config.TemperatureTuning && config.FloorScale == FloorScale && config.AttnScale == AttnScale;
        var isOneThroughout = context < FloorScale && (!config.TemperatureTuning || context < config.FloorScale);
        Hold(isSameTemperature || isOneThroughout, "attention temperature",
            config.TemperatureTuning ? string.Create(CultureInfo.InvariantCulture, $"{config.FloorScale} / {config.AttnScale}") : "off",
            string.Create(CultureInfo.InvariantCulture, $"{FloorScale} / {AttnScale} in a context of {context}"));

        void Hold(bool isHeld, string what, string found, string wanted)
        {
            if (!isHeld)
                throw new InvalidDataException(
                    $"Convert: {Quote(path)} has {what} {Quote(found)}; llama.cpp, which layout {Quote(LayoutNames.Gguf)} is for, knows only {Quote(wanted)}. Choose another layout.");
        }

        static string Text(IEnumerable<int> numbers) => string.Join(',', numbers);
    }
}
