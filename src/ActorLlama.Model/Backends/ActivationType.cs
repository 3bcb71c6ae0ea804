namespace ActorLlama.Model;

/// <summary>The values activations may take between two primitives: any float32, or those that bfloat16 can hold.</summary>
public enum ActivationType : byte
{
    Float32 = 0,
    BFloat16 = 1,
}
