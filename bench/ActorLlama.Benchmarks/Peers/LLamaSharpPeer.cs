using System.Diagnostics;
using ActorLlama.Kernels;
using LLama;
using LLama.Common;
using LLama.Native;

namespace ActorLlama.Benchmarks.Peers;

/// <summary>LLamaSharp with its CPU backend as the package has it, in this process: batches of ids, without its own sampling.</summary>
internal sealed class LLamaSharpPeer : IPeer
{
    private const int Context = 16;
    private readonly string _path;
    private readonly int _threads;
    private readonly LLamaWeights _weights;
    private readonly Random _random = new(2);

    public LLamaSharpPeer(string path, int threads)
    {
        NativeLibraryConfig.All.WithLogCallback((_, _) => { });
        (_path, _threads) = (path, threads);
        _weights = LLamaWeights.LoadFromFile(Parameters(sequences: 1, tokens: 1));
    }

    public Task<IReadOnlyList<float[]>> LogitsAsync(int[] prompt)
    {
        using var context = New(sequences: 1, prompt.Length);
        var batch = new LLamaBatch();
        for (var position = 0; position < prompt.Length; position++) batch.Add(prompt[position], position, LLamaSeqId.Zero, logits: true);
        Decode(context, batch);
        return Task.FromResult<IReadOnlyList<float[]>>([.. Enumerable.Range(0, prompt.Length).Select(row => context.NativeHandle.GetLogitsIth(row).ToArray())]);
    }

    public Task<double> PrefillAsync(int promptTokens)
    {
        using var context = New(sequences: 1, promptTokens);
        var batch = new LLamaBatch();
        for (var position = 0; position < promptTokens; position++) batch.Add(Id(), position, LLamaSeqId.Zero, logits: position == promptTokens - 1);
        var clock = Stopwatch.StartNew();
        Decode(context, batch);
        Read(context, promptTokens - 1);
        return Task.FromResult(promptTokens / clock.Elapsed.TotalSeconds);
    }

    public Task<double> DecodeAsync(int sequences, int tokens)
    {
        using var context = New(sequences, sequences * (Context + tokens));
        var batch = new LLamaBatch();
        for (var sequence = 0; sequence < sequences; sequence++)
            for (var position = 0; position < Context; position++) batch.Add(Id(), position, (LLamaSeqId)sequence, logits: position == Context - 1);
        Decode(context, batch);
        var clock = Stopwatch.StartNew();
        for (var step = 0; step < tokens; step++)
        {
            batch.Clear();
            for (var sequence = 0; sequence < sequences; sequence++) batch.Add(Id(), Context + step, (LLamaSeqId)sequence, logits: true);
            Decode(context, batch);
            for (var row = 0; row < sequences; row++) Read(context, row);
        }
        return Task.FromResult(sequences * tokens / clock.Elapsed.TotalSeconds);
    }

    public ValueTask DisposeAsync()
    {
        _weights.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Decode(LLamaContext context, LLamaBatch batch)
    {
        if (context.Decode(batch) is var result and not DecodeResult.Ok) throw new InvalidDataException($"Bench: LLamaSharp answers {result} to a batch of {batch.TokenCount} tokens.");
    }

    /// <summary>Looks at all logits of a row, as whoever chooses a token must.</summary>
    private static void Read(LLamaContext context, int row)
    {
        if (Greatest.IndexIn(context.NativeHandle.GetLogitsIth(row)) < 0) throw new InvalidDataException("Bench: LLamaSharp gives logits that are no numbers.");
    }

    private LLamaContext New(int sequences, int tokens) => _weights.CreateContext(Parameters(sequences, tokens));

    private LLamaToken Id() => _random.Next(_weights.Vocab.Count);

    private ModelParams Parameters(int sequences, int tokens) => new(_path)
    {
        // A margin: the program rounds what each sequence gets.
        ContextSize = (uint)(tokens + 64 * sequences),
        SeqMax = (uint)sequences,
        BatchSize = (uint)Math.Max(512, tokens),
        Threads = _threads,
        BatchThreads = _threads,
        GpuLayerCount = 0,
    };
}
