using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace ActorLlama.Protocol.Tests;

/// <summary>An actor system that serializes as the nodes do.</summary>
public sealed class SerializingSystem : IDisposable
{
    private readonly ActorSystem _system = ActorSystem.Create("contract", ConfigurationFactory.ParseString($$"""
        akka {
          loglevel = OFF
          actor {
            serializers {
              json = "{{typeof(RefusingSerializer).AssemblyQualifiedName}}"
              cluster = "{{typeof(ClusterMessageSerializer).AssemblyQualifiedName}}"
            }
            serialization-bindings { "{{typeof(IClusterMessage).AssemblyQualifiedName}}" = cluster }
          }
        }
        """));

    public Serialization Serialization => _system.Serialization;

    public void Dispose() => _system.Dispose();
}
