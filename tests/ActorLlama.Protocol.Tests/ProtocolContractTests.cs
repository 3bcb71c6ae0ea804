using System.Reflection;
using ActorLlama.TestKit;
using MessagePack;

namespace ActorLlama.Protocol.Tests;

/// <summary>What every message must keep to, and that the wire only grows.</summary>
public sealed class ProtocolContractTests(SerializingSystem akka) : IClassFixture<SerializingSystem>
{
    private static readonly Assembly s_protocol = typeof(IClusterMessage).Assembly;

    public static TheoryData<Type> Messages { get; } = [.. AllMessages()];

    [Fact]
    public void Every_message_has_a_manifest_of_its_own_and_no_row_is_for_anything_else()
    {
        Assert.Equal(AllMessages().Select(t => t.FullName).Order(), Manifests.Types.Select(t => t.FullName).Order());
        Assert.Equal(Manifests.Types.Count(), Manifests.Types.Select(Manifests.Of).Distinct().Count());
    }

    [Fact]
    public void What_travels_is_what_is_recorded()
    {
        var path = Path.Combine(Shared.RepositoryRoot, "tests", "ActorLlama.Protocol.Tests", "wire.txt");
        var described = WireRecord.Describe();
        if (File.Exists(path) && File.ReadAllText(path) == described) return;
        var received = Path.Combine(AppContext.BaseDirectory, "wire.received.txt");
        File.WriteAllText(received, described);
        Assert.Fail(
            $"The protocol differs from tests/ActorLlama.Protocol.Tests/wire.txt. Keys, manifests and enum values are added, never changed, reused or removed; " +
            $"when it only grew, replace the file by '{Path.GetRelativePath(Shared.RepositoryRoot, received)}'.");
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Keys_are_consecutive_and_enums_have_explicit_distinct_values(Type message)
    {
        foreach (var type in Reached(message, []))
        {
            if (type.IsEnum)
            {
                var values = Enum.GetValuesAsUnderlyingType(type).Cast<object>().ToArray();
                Assert.Equal(values.Length, values.Distinct().Count());
                continue;
            }
            var keys = AnyValue.Keys(type).ToArray();
            Assert.Equal(Enumerable.Range(0, keys.Length), keys.Select(k => k.Key));
            Assert.True(type.IsSealed, $"{type} is not sealed");
            Assert.True(
                type.GetConstructors().Max(c => c.GetParameters().Length) == keys.Length,
                $"{type} has keys that its constructor does not set: deserializing would drop them");
            Assert.All(type.GetProperties().Where(p => keys.All(k => k.Property != p)), p =>
                Assert.True(p.GetCustomAttribute<IgnoreMemberAttribute>() is not null, $"{type}.{p.Name} has neither a key nor [IgnoreMember]"));
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_survives_the_codec(Type type)
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var message = (IClusterMessage)AnyValue.Of(type, new Random(seed))!;
            var bytes = MessageCodec.Serialize(message);
            var back = MessageCodec.Deserialize(Manifests.Of(type), bytes);
            Assert.Null(AnyValue.Difference(message, back, type.Name));
            Assert.Equal(bytes, MessageCodec.Serialize(back));
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_survives_Akkas_serialization(Type type)
    {
        var message = AnyValue.Of(type, new Random(7))!;
        var serializer = Assert.IsType<ClusterMessageSerializer>(akka.Serialization.FindSerializerFor(message));
        var back = akka.Serialization.Deserialize(serializer.ToBinary(message), serializer.Identifier, serializer.Manifest(message));
        Assert.Null(AnyValue.Difference(message, back, type.Name));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Truncated_and_trailing_bytes_are_refused(Type type)
    {
        var manifest = Manifests.Of(type);
        var bytes = MessageCodec.Serialize((IClusterMessage)AnyValue.Of(type, new Random(3))!);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<MessageFormatException>(() => MessageCodec.Deserialize(manifest, bytes.AsMemory(0, length)));
        Assert.Throws<MessageFormatException>(() => MessageCodec.Deserialize(manifest, (byte[])[.. bytes, 0]));
        Assert.Throws<MessageFormatException>(() => MessageCodec.Deserialize(manifest, new byte[] { 0xc0 }));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Garbage_is_refused_or_some_message_but_nothing_else_happens(Type type)
    {
        var manifest = Manifests.Of(type);
        var valid = MessageCodec.Serialize((IClusterMessage)AnyValue.Of(type, new Random(5))!);
        for (var seed = 0; seed < FuzzRounds.Of(500); seed++)
        {
            var random = new Random(seed);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var bytes = seed % 2 == 0 ? [.. valid] : new byte[random.Next(1, 60)];
            if (seed % 2 == 0) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            else random.NextBytes(bytes);
            try
            {
                Assert.IsAssignableFrom(type, MessageCodec.Deserialize(manifest, bytes));
            }
            catch (MessageFormatException)
            {
            }

            // A count that is only claimed is never believed.
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("zz")]
    [InlineData("System.Diagnostics.Process")]
    public void Unknown_manifests_are_refused_by_name(string manifest)
    {
        var error = Assert.Throws<MessageFormatException>(() => MessageCodec.Deserialize(manifest, new byte[] { 0x90 }));
        Assert.Contains($"\"{manifest}\"", error.Message, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => akka.Serialization.Deserialize([0x90], ClusterMessageSerializer.SerializerId, manifest));
    }

    [Fact]
    public void The_fallback_serializer_refuses_both_ways()
    {
        var serializer = akka.Serialization.FindSerializerFor(new Unregistered("x"));
        Assert.IsType<RefusingSerializer>(serializer);
        var outbound = Assert.ThrowsAny<Exception>(() => serializer.ToBinary(new Unregistered("x")));
        Assert.Contains(nameof(Unregistered), outbound.Message, StringComparison.Ordinal);
        var json = """{"$id":"1","$type":"System.Uri, System.Private.Uri","OriginalString":"http://x"}"""u8.ToArray();
        var inbound = Assert.ThrowsAny<Exception>(() => akka.Serialization.Deserialize(json, 1, typeof(Uri).AssemblyQualifiedName));
        Assert.Contains("refused", inbound.GetBaseException().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_without_manifest_fails_at_its_sender()
    {
        var error = Assert.Throws<ArgumentException>(() => Manifests.Of(typeof(Unregistered)));
        Assert.Contains(nameof(Unregistered), error.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<Type> AllMessages() =>
        s_protocol.GetTypes().Where(t => typeof(IClusterMessage).IsAssignableFrom(t) && !t.IsInterface).OrderBy(t => t.FullName, StringComparer.Ordinal);

    /// <summary>The type and every message part and enum inside it.</summary>
    private static HashSet<Type> Reached(Type type, HashSet<Type> seen)
    {
        if (type.IsGenericType)
        {
            foreach (var argument in type.GetGenericArguments()) Reached(argument, seen);
            return seen;
        }
        if (type.Assembly != s_protocol || !seen.Add(type) || type.IsEnum) return seen;
        foreach (var (_, property) in AnyValue.Keys(type)) Reached(property.PropertyType, seen);
        return seen;
    }

    private sealed record Unregistered(string Text);
}
