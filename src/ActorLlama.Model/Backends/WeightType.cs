namespace ActorLlama.Model;

/// <summary>How a device holds matrices.</summary>
public enum WeightType : byte
{
    /// <summary>As the checkpoint stores them.</summary>
    Stored = 0,

    /// <summary>Rounded to 8 bits as they are loaded, routers and embedding left out.</summary>
    Int8 = 1,
}
