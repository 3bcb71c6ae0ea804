namespace ActorLlama.Model;

/// <summary>How products of routed rows with their experts' matrices are computed (spec 6). Equal in float32 up to rounding.</summary>
public enum MoeStrategy : byte
{
    /// <summary>All rows through all experts, then each row's own is taken.</summary>
    Dense = 0,

    /// <summary>Rows sorted by expert, each group in tiles of bounded height.</summary>
    Grouped = 1,

    /// <summary>Rows sorted by expert, one product a group.</summary>
    Ragged = 2,
}
