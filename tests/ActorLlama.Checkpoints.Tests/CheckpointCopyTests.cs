using System.Runtime.InteropServices;
using ActorLlama.Checkpoints.Testing;
using ActorLlama.Model;
using ActorLlama.TestKit;

namespace ActorLlama.Checkpoints.Tests;

public sealed class CheckpointCopyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedTheory]
    [InlineData("tiny-scout")]
    [InlineData("tiny-maverick")]
    public void Poison_lies_exactly_where_it_was_asked_for(string fixture)
    {
        var source = Shared.PathOf("fixtures", fixture);
        static bool Keep(string name, long? expert) => expert is { } e ? e % 2 == 0 : !name.Contains(".attn.", StringComparison.Ordinal);
        CheckpointCopy.WithPoison(source, _folder.PathOf("copy"), Keep);
        using var original = CheckpointDirectory.Open(source);
        using var copy = CheckpointDirectory.Open(_folder.PathOf("copy"));
        foreach (var parameter in ParameterTable.Of(original.Config).Parameters)
        {
            var isExperts = parameter.Group == ParameterGroup.Experts;
            for (var slice = 0L; slice < (isExperts ? parameter.Shape[0] : 1); slice++)
            {
                var (from, to) = (original.Get(parameter.Name), copy.Get(parameter.Name));
                var before = isExperts ? StoredBytes.Of(from, slice) : StoredBytes.Of(from);
                var after = isExperts ? StoredBytes.Of(to, slice) : StoredBytes.Of(to);
                if (Keep(parameter.Name, isExperts ? slice : null)) Assert.True(before.AsSpan().SequenceEqual(after), parameter.Name);
                else Assert.False(MemoryMarshal.Cast<byte, ushort>(after).ContainsAnyExcept((ushort)0x7FC0), parameter.Name);
            }
        }
        Assert.Equal(original.GenerationDefaults, copy.GenerationDefaults);
    }

    [SharedFact]
    public void Copies_of_one_source_have_one_identity()
    {
        string Copy(string source, string name, bool keep)
        {
            CheckpointCopy.WithPoison(Shared.PathOf("fixtures", source), _folder.PathOf(name), (_, _) => keep);
            using var checkpoint = CheckpointDirectory.Open(_folder.PathOf(name));
            return checkpoint.Digest;
        }
        var scout = Copy("tiny-scout", "a", true);
        Assert.Equal(scout, Copy("tiny-scout", "b", false));
        Assert.NotEqual(scout, Copy("tiny-maverick", "c", true));
    }
}
