using System.Reflection;
using Akka.Actor;

namespace ActorLlama.Protocol;

/// <summary>What an actor system leaves behind when it has ended.</summary>
public static class EndedSystem
{
    /// <summary>
    /// Akka.Remote's cache of actor references: a value per thread, each of which leads back to its <see cref="ThreadLocal{T}"/>. So it is never garbage while its threads, of the
    /// pool, live on, and neither is the system with all its actors; and nobody disposes it.
    /// </summary>
    private const string CacheField = "_actorRefResolveThreadLocalCache";
    private const string ThreadsField = "_current";

    /// <summary>Lets go of the system's memory, once it has ended: a process may have many, one after the other.</summary>
    public static void Free(ActorSystem ended)
    {
        var provider = ((ExtendedActorSystem)ended).Provider;
        var cache = FieldOf(provider.GetType(), CacheField)?.GetValue(provider);
        if (cache is not null && FieldOf(cache.GetType(), ThreadsField)?.GetValue(cache) is IDisposable threads) threads.Dispose();
    }

    private static FieldInfo? FieldOf(Type? type, string name)
    {
        // A base type's private field is found in the base type alone.
        for (; type is not null; type = type.BaseType)
            if (type.GetField(name, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly) is { } field) return field;
        return null;
    }
}
