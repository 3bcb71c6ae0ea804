namespace ActorLlama.Model;

/// <summary>How a stored weight's elements are encoded.</summary>
public enum ElementType : byte
{
    Float32 = 0,
    BFloat16 = 1,
}
