namespace ActorLlama.Protocol;

/// <summary>A message that may leave its process. Each has a row in <see cref="Manifests"/>.</summary>
public interface IClusterMessage;

/// <summary>A message that travels on the lane, with or without rows; never through Akka.Remote.</summary>
public interface ILaneMessage : IClusterMessage;
