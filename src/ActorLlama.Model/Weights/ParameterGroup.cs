namespace ActorLlama.Model;

/// <summary>The part of the model that a parameter belongs to.</summary>
public enum ParameterGroup : byte
{
    Embedding = 0,
    Norm = 1,
    Attention = 2,
    Router = 3,
    Experts = 4,
    SharedExpert = 5,
    DenseFfn = 6,
    Head = 7,
}
