namespace ActorLlama.Planning.Tests;

internal static class Sequences
{
    /// <summary>Compares element by element, whatever the collections are: immutable arrays alone compare by identity.</summary>
    public static void Equal<T>(IEnumerable<T> expected, IEnumerable<T> actual) => Assert.Equal(expected.ToList(), actual.ToList());
}
