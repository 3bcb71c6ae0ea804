using System.Reflection;
using System.Text;
using MessagePack;

namespace ActorLlama.Protocol.Tests;

/// <summary>Everything that travels, as text: manifests, keys and enum values.</summary>
internal static class WireRecord
{
    public static string Describe()
    {
        var text = new StringBuilder();
        var types = typeof(IClusterMessage).Assembly.GetTypes().Where(t => t.GetCustomAttribute<MessagePackObjectAttribute>() is not null);
        foreach (var type in types.OrderBy(NameOf, StringComparer.Ordinal))
        {
            text.Append(NameOf(type));
            if (typeof(IClusterMessage).IsAssignableFrom(type)) text.Append(" \"").Append(Manifests.Of(type)).Append('"');
            text.Append('\n');
            foreach (var (key, property) in AnyValue.Keys(type)) text.Append($"  {key} {property.Name} {NameOf(property.PropertyType)}\n");
        }
        foreach (var type in typeof(IClusterMessage).Assembly.GetTypes().Where(t => t.IsEnum).OrderBy(NameOf, StringComparer.Ordinal))
        {
            text.Append($"enum {NameOf(type)} {Enum.GetUnderlyingType(type).Name}\n");
            foreach (var value in Enum.GetValues(type)) text.Append($"  {Convert.ToInt64(value)} {value}\n");
        }
        return text.ToString();
    }

    private static string NameOf(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying) return NameOf(underlying) + "?";
        var name = type.DeclaringType is { } outer && !type.IsGenericParameter ? $"{outer.Name}.{type.Name}" : type.Name;
        return type.IsGenericType ? $"{name[..name.IndexOf('`')]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>" : name;
    }
}
