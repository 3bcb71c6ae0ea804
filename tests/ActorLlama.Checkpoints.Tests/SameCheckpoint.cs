namespace ActorLlama.Checkpoints.Tests;

/// <summary>Two checkpoints of any layouts that hold the same bits.</summary>
internal static class SameCheckpoint
{
    public static void Assert(string expected, string actual) => Xunit.Assert.All(
        CheckpointComparison.Of(expected, actual), tensor => Xunit.Assert.True(tensor.IsEqual, $"{tensor.Name} {tensor.Fault} {tensor.Different}"));
}
