namespace ActorLlama.Checkpoints;

/// <summary>A file of a checkpoint against its manifest.</summary>
public enum FileVerdict : byte
{
    /// <summary>As recorded.</summary>
    Same = 0,

    /// <summary>Other bytes than recorded.</summary>
    Changed = 1,

    /// <summary>Recorded, but not there.</summary>
    Missing = 2,

    /// <summary>There, but not recorded; so is every file without manifest.</summary>
    Unlisted = 3,
}
