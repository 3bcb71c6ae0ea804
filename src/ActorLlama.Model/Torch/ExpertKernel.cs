using static TorchSharp.torch;

namespace ActorLlama.Model;

/// <summary>
/// Products of sorted rows with their experts' matrices (spec 6.2, 6.4), and the sums of outer products that are those matrices' gradients (6.5). What a row or an expert
/// gets depends on the rows of its own group alone, but for <see cref="DenseKernel"/>. At least one row.
/// </summary>
internal abstract class ExpertKernel
{
    /// <summary>Matrix products launched so far.</summary>
    public long Products { get; private set; }

    public static ExpertKernel Of(MoeStrategy strategy) => strategy switch
    {
        MoeStrategy.Dense => new DenseKernel(),
        MoeStrategy.Grouped => new TiledKernel(TiledKernel.DefaultTileRows),
        MoeStrategy.Ragged => new TiledKernel(int.MaxValue),
        _ => throw new ArgumentOutOfRangeException(nameof(strategy), strategy, "Experts: no such strategy."),
    };

    /// <summary>Each row of [A,K] times the matrix of its expert, of [n,K,N]: [A,N]. Differentiable.</summary>
    public abstract Tensor Product(Tensor rows_AK, Tensor weights_nKN, ExpertRows of);

    /// <summary>Adds to each expert's matrix of <paramref name="sum_nKN"/> the product of its rows' transpose with their gradients; idle experts' stay as they are.</summary>
    public abstract void AddOuter(Tensor rows_AK, Tensor gradient_AN, ExpertRows of, Tensor sum_nKN);

    protected Tensor Multiply(Tensor a, Tensor b)
    {
        Products++;
        return TorchMath.Product(a, b);
    }

    /// <summary>Adds a·b to <paramref name="sum"/>, in one pass over it where the types allow: with few rows an expert, passes over its matrix are what its gradient costs.</summary>
    protected void AddProduct(Tensor sum, Tensor a, Tensor b)
    {
        if (a.dtype == sum.dtype && b.dtype == sum.dtype)
        {
            Products++;
            sum.addmm_(a, b);
        }
        else sum.PlusInPlace(Multiply(a, b));
    }
}

/// <summary>All experts for all rows: E times the products, in one call.</summary>
internal sealed class DenseKernel : ExpertKernel
{
    public override Tensor Product(Tensor rows_AK, Tensor weights_nKN, ExpertRows of)
    {
        var all_nAN = Multiply(rows_AK.unsqueeze(0), weights_nKN);
        return all_nAN.flatten(0, 1).index_select(0, Places(of, rows_AK));
    }

    public override void AddOuter(Tensor rows_AK, Tensor gradient_AN, ExpertRows of, Tensor sum_nKN)
    {
        long experts = sum_nKN.shape[0], rows = rows_AK.shape[0];
        var masked_nAN = zeros(experts * rows, gradient_AN.shape[1], gradient_AN.dtype, gradient_AN.device)
            .index_copy_(0, Places(of, rows_AK), gradient_AN).view(experts, rows, -1);
        sum_nKN.PlusInPlace(Multiply(rows_AK.t().unsqueeze(0), masked_nAN));
    }

    /// <summary>Where (expert, row) lies among all experts' rows, for each row with its own expert.</summary>
    private static Tensor Places(ExpertRows of, Tensor rows_AK)
    {
        var rows = (int)rows_AK.shape[0];
        var places = new int[rows];
        foreach (var (expert, start, count) in of.Groups)
            for (var row = start; row < start + count; row++) places[row] = checked(expert * rows + row);
        return TorchMemory.Indices(places, rows_AK.device);
    }
}

/// <summary>
/// Group by group, in tiles of at most <paramref name="tileRows"/> rows counted from the group's start: none is multiplied twice, and empty groups cost nothing. No row is
/// padded, unless <paramref name="oneShape"/> asks for products of one shape (<see cref="RowTiles"/>).
/// </summary>
internal sealed class TiledKernel(int tileRows, bool oneShape = false) : ExpertKernel
{
    /// <summary>MaxText's <c>wi_tile_fwd_batch_seq</c>.</summary>
    public const int DefaultTileRows = 512;

    public override Tensor Product(Tensor rows_AK, Tensor weights_nKN, ExpertRows of) =>
        cat([.. Tiles(of).Select(tile => Tile(rows_AK.narrow(0, tile.Start, tile.Count), weights_nKN.select(0, tile.Expert)))]);

    public override void AddOuter(Tensor rows_AK, Tensor gradient_AN, ExpertRows of, Tensor sum_nKN)
    {
        foreach (var (expert, start, count) in Tiles(of))
            AddProduct(sum_nKN.select(0, expert), rows_AK.narrow(0, start, count).t(), gradient_AN.narrow(0, start, count));
    }

    private Tensor Tile(Tensor rows_CK, Tensor weights_KN) =>
        oneShape ? Multiply(RowTiles.Filled(rows_CK, 0, tileRows), weights_KN).narrow(0, 0, rows_CK.shape[0]) : Multiply(rows_CK, weights_KN);

    private IEnumerable<(int Expert, int Start, int Count)> Tiles(ExpertRows of) => of.Groups.SelectMany(
        group => Enumerable.Range(0, (group.Count - 1) / tileRows + 1)
            .Select(tile => (group.Expert, group.Start + tile * tileRows, Math.Min(tileRows, group.Count - tile * tileRows))));
}
