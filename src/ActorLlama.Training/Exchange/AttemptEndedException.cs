namespace ActorLlama.Training;

/// <summary>A pass cannot go on: its attempt failed here, or is over.</summary>
internal sealed class AttemptEndedException(string message) : Exception(message);
