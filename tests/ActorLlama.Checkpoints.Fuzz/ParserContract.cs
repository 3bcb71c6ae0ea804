using System.Buffers.Binary;
using System.Diagnostics;

namespace ActorLlama.Checkpoints.Fuzz;

/// <summary>
/// What the parsers promise about any bytes: they accept them, or refuse them with one <see cref="InvalidDataException"/> of one line that names the file; they end
/// soon, and allocate no more than a small multiple of the input. A breach throws.
/// </summary>
public sealed class ParserContract : IDisposable
{
    /// <summary>A JSON header before eight elements of data; a whole safetensors file; a pickle; a whole PyTorch archive.</summary>
    public static IReadOnlyList<string> Targets { get; } = ["header", "safetensors", "pickle", "pth"];

    private const int BytesPerByte = 100, FixedBytes = 1 << 20;

    /// <summary>No measure of speed: what takes so long hangs, on however busy a machine.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private readonly string _target;
    private readonly string _path;

    /// <param name="target">One of <see cref="Targets"/>.</param>
    public ParserContract(string target)
    {
        _target = target;
        var memory = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        _path = Path.Combine(memory, $"actorllama-{Environment.ProcessId}-{Guid.NewGuid():n}.{(target == "header" ? "safetensors" : target)}");
    }

    /// <summary>Parses the input. Returns the refusal, or null when it was accepted.</summary>
    public string? Check(byte[] input)
    {
        if (_target is not "pickle") File.WriteAllBytes(_path, _target == "header" ? FileOf(input) : input);
        var clock = Stopwatch.StartNew();
        var before = GC.GetAllocatedBytesForCurrentThread();
        string? refusal = null;
        try
        {
            Parse(input);
        }
        catch (InvalidDataException fault)
        {
            refusal = fault.Message;
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > FixedBytes + BytesPerByte * (long)input.Length)
            throw new InvalidOperationException($"{allocated} bytes were allocated for an input of {input.Length}.");
        if (clock.Elapsed > Longest) throw new InvalidOperationException($"An input of {input.Length} bytes took {clock.Elapsed.TotalSeconds:0.0} s.");
        if (refusal is not null && (refusal.AsSpan().IndexOfAny('\n', '\r') >= 0 || !refusal.Contains(_path, StringComparison.Ordinal)))
            throw new InvalidOperationException($"A refusal is not one line that names the file: {refusal}");
        return refusal;
    }

    public void Dispose() => File.Delete(_path);

    private void Parse(byte[] input)
    {
        if (_target == "pickle") Unpickler.Read(_path, input);
        else
            using (WeightInspection.Open(_path))
                return;
    }

    /// <summary>The file whose header is that JSON.</summary>
    private static byte[] FileOf(byte[] json)
    {
        var file = new byte[8 + json.Length + 16];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, 8);
        return file;
    }
}
