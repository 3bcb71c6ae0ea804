namespace ActorLlama.Node;

/// <summary>The daemon: one node of a cluster, until it is told to end.</summary>
public static class NodeProgram
{
    /// <summary>
    /// Runs until <paramref name="cancellation"/>, SIGTERM or Ctrl-C. Returns the process's exit code. Throws
    /// <see cref="InvalidDataException"/> for bad settings and checkpoints before anything is started.
    /// </summary>
    public static Task<int> RunAsync(NodeArguments arguments, CancellationToken cancellation) =>
        throw new InvalidDataException($"Node: \"{arguments.ConfigFile}\" cannot be run by this build. Build the node's runtime.");
}
