using System.Collections.Immutable;

namespace ActorLlama.Cli;

/// <summary>
/// What <c>verify</c> found. <paramref name="Prefill"/> and <paramref name="Decode"/> are null when the golden file has no such part
/// (the latter in bfloat16 too). <paramref name="LogitsSha256"/> is of the raw float32 bits of all rows, in order: equal for equal bits.
/// </summary>
internal sealed record VerificationReport(
    bool Bfloat16,
    LogitsComparison? Prefill,
    VerificationReport.DecodeResult? Decode,
    ImmutableArray<VerificationReport.ShardRows> Shards,
    ImmutableArray<VerificationReport.NodeBytes> Nodes,
    string LogitsSha256)
{
    /// <summary><paramref name="FirstDifference"/>: index of the first token that differs, or null.</summary>
    internal sealed record DecodeResult(int Tokens, int? FirstDifference, LogitsComparison? Logits);

    /// <summary>Rows that an expert shard computed for this.</summary>
    internal sealed record ShardRows(int Shard, int Replica, string Node, long Rows);

    /// <summary>Bytes that a node which may hold a part of the model sent over lanes for this.</summary>
    internal sealed record NodeBytes(string Name, long LaneBytesSent);

    /// <summary>What is wrong; empty when the model passes.</summary>
    public ImmutableArray<string> Faults
    {
        get
        {
            var faults = ImmutableArray.CreateBuilder<string>();
            if (Prefill?.IsWithin(Bfloat16) == false) faults.Add("the prefill logits are outside the tolerance");
            if (Decode?.FirstDifference is { } index) faults.Add($"decoded token {index} differs");
            if (Decode?.Logits?.IsWithin(Bfloat16) == false) faults.Add("the decode logits are outside the tolerance");
            if (Nodes.Length > 1)
            {
                foreach (var shard in Shards.Where(s => s.Rows == 0)) faults.Add($"expert shard {shard.Shard} on {shard.Node} computed no row");
                foreach (var node in Nodes.Where(n => n.LaneBytesSent == 0)) faults.Add($"{node.Name} sent no byte over its lanes");
            }

            return faults.ToImmutable();
        }
    }

    public void WriteJson() => JsonLine.Write(new
    {
        passed = Faults.IsEmpty,
        faults = Faults,
        dtype = Bfloat16 ? "bfloat16" : "float32",
        prefill = Prefill is null ? null : Json(Prefill),
        decode = Decode is null
            ? null
            : new
            {
                tokens = Decode.Tokens,
                tokens_equal = Decode.FirstDifference is null,
                first_difference = Decode.FirstDifference,
                logits = Decode.Logits is null ? null : Json(Decode.Logits),
            },
        shards = Shards.Select(s => new { shard = s.Shard, replica = s.Replica, node = s.Node, rows = s.Rows }),
        nodes = Nodes.Select(n => new { name = n.Name, lane_bytes_sent = n.LaneBytesSent }),
        logits_sha256 = LogitsSha256,
    });

    public void WriteText(TextWriter output)
    {
        if (Prefill is not null) output.WriteLine($"prefill logits  {Line(Prefill)}");
        if (Decode is not null)
            output.WriteLine(Decode.FirstDifference is { } at ? $"decode tokens   differ from index {at} of {Decode.Tokens}" : $"decode tokens   {Decode.Tokens} of {Decode.Tokens} equal");
        if (Decode?.Logits is { } logits) output.WriteLine($"decode logits   {Line(logits)}");
        foreach (var shard in Shards) output.WriteLine($"expert shard {shard.Shard}  replica {shard.Replica} on {shard.Node}: {shard.Rows} rows");
        foreach (var node in Nodes) output.WriteLine($"{node.Name}  {node.LaneBytesSent} bytes sent over lanes");
        output.WriteLine($"logits sha256   {LogitsSha256}");
        output.WriteLine(Faults.IsEmpty ? "passed" : $"FAILED: {string.Join("; ", Faults)}");
    }

    private string Line(LogitsComparison c) =>
        $"max |d| {c.MaxAbs:0.000e+0}, mean |d| {c.MeanAbs:0.000e+0}, {c.Outside} of {c.Values} outside 2e-4 + 2e-4 |b|, argmax agreement {c.ArgmaxAgreement:0.0000}"
        + $" over {c.Rows} rows: {(c.IsWithin(Bfloat16) ? "within" : "outside")}";

    private object Json(LogitsComparison c) => new
    {
        rows = c.Rows,
        values = c.Values,
        max_abs = Finite(c.MaxAbs),
        mean_abs = Finite(c.MeanAbs),
        outside = c.Outside,
        argmax_agreement = c.ArgmaxAgreement,
        within_tolerance = c.IsWithin(Bfloat16),
    };

    /// <summary>JSON has no infinity: null says that some value was not a number.</summary>
    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
