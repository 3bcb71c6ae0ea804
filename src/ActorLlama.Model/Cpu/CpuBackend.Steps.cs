using ActorLlama.Kernels;

namespace ActorLlama.Model;

public sealed unsafe partial class CpuBackend
{
    public Activation Embed(Weight table, ReadOnlySpan<int> ids)
    {
        var rows = Of<CpuEmbedding>(table, "Embed");
        foreach (var id in ids)
            if (id < 0 || id >= rows.Rows) throw new ArgumentOutOfRangeException(nameof(ids), $"Embed: token id {id} is not below the table's {rows.Rows} rows.");
        var y = New(ids.Length, rows.Width);
        for (var row = 0; row < ids.Length; row++) RowMath.Load(rows[ids[row]], rows.IsBf16, rows.Width, y.Row(row), _round);
        return y;
    }

    public Activation Norm(Activation x, Weight gain)
    {
        var y = New(x.Rows, x.Width);
        NormRows(Of(x), gain, y.Values);
        return y;
    }

    public Activation Linear(Activation x, Weight matrix)
    {
        var w = PanelsFor("Linear", matrix, x.Width);
        var y = New(x.Rows, w.Outputs);
        Product.Run(_team, new Product(w, Of(x).Values, x.Width, x.Rows, y.Values, y.Width, _round));
        return y;
    }

    public Qkv NormQkv(Activation x, Weight gain, Weight q, Weight k, Weight v)
    {
        var (wq, wk, wv) = (PanelsFor("NormQkv", q, x.Width), PanelsFor("NormQkv", k, x.Width), PanelsFor("NormQkv", v, x.Width));
        Require("NormQkv", "the width of q", wq.Outputs, _config.QueryHeads * _config.HeadDim);
        Require("NormQkv", "the width of k", wk.Outputs, _config.KvHeads * _config.HeadDim);
        Require("NormQkv", "the width of v", wv.Outputs, _config.KvHeads * _config.HeadDim);
        using var normed = (CpuActivation)Norm(x, gain);
        var (yq, yk, yv) = New(x.Rows, wq.Outputs, wk.Outputs, wv.Outputs);
        Product.Run(_team,
            new Product(wq, normed.Values, x.Width, x.Rows, yq.Values, yq.Width, _round),
            new Product(wk, normed.Values, x.Width, x.Rows, yk.Values, yk.Width, _round),
            new Product(wv, normed.Values, x.Width, x.Rows, yv.Values, yv.Width, _round));
        return new Qkv(yq, yk, yv);
    }

    public Routing Route(Activation x, Weight router, int expertsPerToken)
    {
        var w = PanelsFor("Route", router, x.Width);
        if (expertsPerToken < 1 || expertsPerToken > w.Outputs)
            throw new ArgumentOutOfRangeException(nameof(expertsPerToken), $"Route: {expertsPerToken} experts a token of {w.Outputs}.");
        using var logits = (CpuActivation)Linear(x, router);
        var chosen = new int[x.Rows * expertsPerToken];
        var scaled = New(chosen.Length, x.Width);
        ForRows(x.Rows, x.Width, (first, end) =>
        {
            for (var row = first; row < end; row++)
            {
                var ids = chosen.AsSpan(row * expertsPerToken, expertsPerToken);
                RowMath.TopIds(new ReadOnlySpan<float>(logits.Row(row), w.Outputs), ids);
                for (var i = 0; i < expertsPerToken; i++)
                {
                    var score = RowMath.Sigmoid(logits.Row(row)[ids[i]]);
                    RowMath.Scale(Of(x).Row(row), _round ? Bf16.Round(score) : score, x.Width, scaled.Row(row * expertsPerToken + i), _round);
                }
            }
        });
        return new Routing(chosen, scaled, expertsPerToken);
    }

    public Activation GatedFfn(Activation x, Weight gate, Weight up, Weight down)
    {
        var group = Group(x, gate, up, down);
        var y = New(x.Rows, group.Down.Outputs);
        try
        {
            RunFfn(new FfnWork([group], Of(x), y), null);
            return y;
        }
        catch
        {
            y.Dispose();
            throw;
        }
    }

    public Activation GatedFfnLater(Activation x, Weight gate, Weight up, Weight down)
    {
        var group = Group(x, gate, up, down);
        var from = Of(x);
        CatchUp();
        _waiting = new FfnWork([group], from, New(x.Rows, group.Down.Outputs));
        return _waiting.Y;
    }

    public void CatchUp()
    {
        if (Wanted is { } waiting) RunFfn(waiting, null);
        _waiting = null;
    }

    public Activation ExpertFfn(Activation rows, ReadOnlySpan<int> experts, Weight expertWeights)
    {
        var weights = Of<CpuExperts>(expertWeights, "ExpertFfn");
        Require("ExpertFfn", "the number of expert ids", experts.Length, rows.Rows);
        var ids = experts.ToArray();
        foreach (var id in ids)
            if (id < weights.First || id >= weights.First + weights.Experts.Length)
                throw new ArgumentOutOfRangeException(nameof(experts), $"ExpertFfn: expert {id} is not among the loaded {weights.First} to {weights.First + weights.Experts.Length - 1}.");
        if (rows.Rows == 0) return New(0, rows.Width);
        Require("ExpertFfn", "the width of the rows", rows.Width, weights.Experts[0].Gate.Inputs);

        var order = new int[ids.Length];
        for (var i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(ids, order);
        var groups = new List<FfnGroup>();
        for (int start = 0, end; start < ids.Length; start = end)
        {
            for (end = start + 1; end < ids.Length && ids[end] == ids[start]; end++)
            {
            }
            var e = weights.Experts[ids[start] - weights.First];
            groups.Add(new FfnGroup(e.Gate, e.Up, e.Down, start, end - start));
        }
        using var sorted = (CpuActivation)TakeRows(rows, order);
        using var computed = New(rows.Rows, groups[0].Down.Outputs);
        RunFfn(new FfnWork([.. groups], sorted, computed), Wanted);
        _waiting = null;
        var y = New(rows.Rows, rows.Width);
        ForRows(order.Length, y.Width, (first, end) =>
        {
            for (var i = first; i < end; i++) Copy(computed.Row(i), y.Row(order[i]), y.Width);
        });
        return y;
    }

    public Activation Add(Activation a, Activation b)
    {
        Require("Add", "the number of rows of b", b.Rows, a.Rows);
        Require("Add", "the width of b", b.Width, a.Width);
        var (left, right) = (Of(a), Of(b));
        var y = New(a.Rows, a.Width);
        ForRows(a.Rows, a.Width, (first, end) => RowMath.Add(left.Row(first), right.Row(first), (long)(end - first) * y.Width, y.Row(first), _round));
        return y;
    }

    public Activation SumGroups(Activation x, int k)
    {
        if (k < 1 || x.Rows % k != 0) throw new ArgumentException($"SumGroups: {x.Rows} rows are not groups of {k}.");
        var y = New(x.Rows / k, x.Width);
        var from = Of(x);
        for (var row = 0; row < y.Rows; row++)
        {
            Copy(from.Row(row * k), y.Row(row), y.Width);
            for (var i = 1; i < k; i++) RowMath.Add(y.Row(row), from.Row(row * k + i), y.Width, y.Row(row), _round && i == k - 1);
        }
        return y;
    }

    public Activation Logits(Activation x, Weight gain, Weight head)
    {
        var w = PanelsFor("Logits", head, x.Width);
        using var normed = (CpuActivation)Norm(x, gain);
        var y = New(x.Rows, w.Outputs);
        Product.Run(_team, new Product(w, normed.Values, x.Width, x.Rows, y.Values, y.Width, round: false));
        return y;
    }

    public Activation TakeRows(Activation x, ReadOnlySpan<int> rows)
    {
        foreach (var row in rows) RequireRow(row, x.Rows);
        var (from, y) = (Of(x), New(rows.Length, x.Width));
        var places = rows.ToArray();
        ForRows(places.Length, y.Width, (first, end) =>
        {
            for (var i = first; i < end; i++) Copy(from.Row(places[i]), y.Row(i), y.Width);
        });
        return y;
    }

    public Activation PlaceRows(int rows, IReadOnlyList<Activation> parts, IReadOnlyList<int[]> places)
    {
        Require("PlaceRows", "the number of lists of places", places.Count, parts.Count);
        var width = parts.Count == 0 ? 0 : parts[0].Width;
        var filled = new bool[rows];
        for (var p = 0; p < parts.Count; p++)
        {
            Require("PlaceRows", "the width of a part", parts[p].Width, width);
            Require("PlaceRows", "the number of a part's places", places[p].Length, parts[p].Rows);
            foreach (var place in places[p])
            {
                RequireRow(place, rows);
                filled[place] = true;
            }
        }
        var missing = Array.IndexOf(filled, false);
        if (missing >= 0) throw new ArgumentException($"PlaceRows: no part fills row {missing} of {rows}.");
        var y = New(rows, width);
        for (var p = 0; p < parts.Count; p++)
            for (var i = 0; i < places[p].Length; i++) Copy(Of(parts[p]).Row(i), y.Row(places[p][i]), width);
        return y;
    }

    private void NormRows(CpuActivation x, Weight gain, float* y)
    {
        var gains = Of<CpuVector>(gain, "Norm");
        Require("Norm", "the number of gains", gains.Length, x.Width);
        ForRows(x.Rows, x.Width, (first, end) =>
        {
            for (var row = first; row < end; row++) RowMath.RmsNorm(x.Row(row), gains.Values, x.Width, _eps, y + (long)row * x.Width, _round);
        });
    }

    private FfnGroup Group(Activation x, Weight gate, Weight up, Weight down)
    {
        var (g, u) = (PanelsFor("GatedFfn", gate, x.Width), PanelsFor("GatedFfn", up, x.Width));
        Require("GatedFfn", "the width of up", u.Outputs, g.Outputs);
        return new FfnGroup(g, u, PanelsFor("GatedFfn", down, g.Outputs), 0, x.Rows);
    }

    /// <summary>What waits, if anybody still wants it. It waits on when there is too little memory to run it.</summary>
    private FfnWork? Wanted => _waiting is { Y.IsDisposed: false } waiting ? waiting : null;

    private void RunFfn(FfnWork work, FfnWork? other)
    {
        using CpuActivation gate = New(work.X.Rows, work.Hidden), up = New(work.X.Rows, work.Hidden);
        if (other is null)
        {
            Kernels.GatedFfn.Run(_team, work.Job(gate, up, _round));
            return;
        }
        using CpuActivation otherGate = New(other.X.Rows, other.Hidden), otherUp = New(other.X.Rows, other.Hidden);
        Kernels.GatedFfn.Run(_team, work.Job(gate, up, _round), other.Job(otherGate, otherUp, _round));
    }

    /// <summary>FFNs that are to be run: rows in, rows out.</summary>
    private sealed record FfnWork(FfnGroup[] Groups, CpuActivation X, CpuActivation Y)
    {
        public int Hidden => Groups[0].Gate.Outputs;

        public FfnJob Job(CpuActivation gate, CpuActivation up, bool round) => new(Groups, X.Values, gate.Values, up.Values, Y.Values, round);
    }

    private static WeightPanels PanelsFor(string step, Weight matrix, int width)
    {
        var panels = Of<CpuLinear>(matrix, step).Panels;
        Require(step, "the width of x", width, panels.Inputs);
        return panels;
    }

    private static void Copy(float* from, float* to, int count) => Buffer.MemoryCopy(from, to, count * 4L, count * 4L);
}
