using System.Collections;
using System.Collections.Immutable;
using System.Reflection;
using MessagePack;

namespace ActorLlama.Protocol.Tests;

/// <summary>Values of any message type from a seed, and their comparison by content.</summary>
internal static class AnyValue
{
    public static object? Of(Type type, Random random, NullabilityInfo? nullability = null)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying) return random.Next(3) == 0 ? null : Of(underlying, random);
        if (nullability?.WriteState == NullabilityState.Nullable && !type.IsValueType && random.Next(3) == 0) return null;
        if (type.IsEnum)
        {
            var values = Enum.GetValues(type);
            return values.GetValue(random.Next(values.Length));
        }
        if (type == typeof(string)) return new string([.. Enumerable.Range(0, random.Next(12)).Select(_ => (char)random.Next(0x20, 0xD7FF))]);
        if (type == typeof(bool)) return random.Next(2) == 0;
        if (type == typeof(int)) return random.Next(4) == 0 ? random.Next(int.MinValue, int.MaxValue) : random.Next(200);
        if (type == typeof(long)) return random.NextInt64(long.MinValue, long.MaxValue);
        if (type == typeof(ulong)) return (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        if (type == typeof(float)) return random.NextSingle() * 1e3f;
        if (type == typeof(double)) return random.NextDouble() * 1e6;
        if (type == typeof(ReadOnlyMemory<byte>))
        {
            var bytes = new byte[random.Next(40)];
            random.NextBytes(bytes);
            return new ReadOnlyMemory<byte>(bytes);
        }
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>))
        {
            var element = type.GetGenericArguments()[0];
            var items = Array.CreateInstance(element, random.Next(4));
            for (var i = 0; i < items.Length; i++) items.SetValue(Of(element, random), i);
            return typeof(ImmutableArray).GetMethods().Single(m => m.Name == "Create" && m.GetParameters() is [{ ParameterType.IsArray: true }])
                .MakeGenericMethod(element).Invoke(null, [items]);
        }
        Assert.True(type.GetCustomAttribute<MessagePackObjectAttribute>() is not null, $"no values are known for {type}");
        var constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var context = new NullabilityInfoContext();
        return constructor.Invoke([.. constructor.GetParameters().Select(p => Of(p.ParameterType, random, context.Create(p)))]);
    }

    /// <summary>Where the two differ, or null.</summary>
    public static string? Difference(object? one, object? other, string at)
    {
        if (one is null || other is null) return Equals(one, other) ? null : $"{at}: {one ?? "null"} became {other ?? "null"}";
        var type = one.GetType();
        if (type != other.GetType()) return $"{at}: {type} became {other.GetType()}";
        if (one is ReadOnlyMemory<byte> bytes) return bytes.Span.SequenceEqual(((ReadOnlyMemory<byte>)other).Span) ? null : $"{at}: bytes differ";
        if (one is not string && one is IEnumerable items)
        {
            object?[] ones = [.. items.Cast<object?>()];
            object?[] others = [.. ((IEnumerable)other).Cast<object?>()];
            return ones.Length != others.Length
                ? $"{at}: {ones.Length} items became {others.Length}"
                : ones.Zip(others).Select((p, i) => Difference(p.First, p.Second, $"{at}[{i}]")).FirstOrDefault(d => d is not null);
        }
        return type.GetCustomAttribute<MessagePackObjectAttribute>() is null
            ? Equals(one, other) ? null : $"{at}: {one} became {other}"
            : Keys(type).Select(k => Difference(k.Property.GetValue(one), k.Property.GetValue(other), $"{at}.{k.Property.Name}"))
                .FirstOrDefault(d => d is not null);
    }

    public static IEnumerable<(int Key, PropertyInfo Property)> Keys(Type type) => type.GetProperties()
        .Select(p => (p.GetCustomAttribute<KeyAttribute>()?.IntKey, Property: p))
        .Where(p => p.IntKey is not null)
        .Select(p => (p.IntKey!.Value, p.Property))
        .OrderBy(p => p.Value);
}
