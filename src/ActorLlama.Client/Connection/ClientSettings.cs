using ActorLlama.Trust;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster.Tools.Client;
using Akka.Cluster.Tools.PublishSubscribe;
using Akka.Configuration;

namespace ActorLlama.Client;

/// <summary>Settings of a client's actor system: remoting without membership, our codecs and no other.</summary>
internal static class ClientSettings
{
    /// <summary>Where every node takes clients' messages; registered with its receptionist.</summary>
    public const string Gate = "/user/gate";

    private const string Text =
        """
        akka {
          loglevel = OFF
          stdout-loglevel = OFF
          loggers = []
          log-dead-letters = off
          log-dead-letters-during-shutdown = off
          # As on the nodes: what is due together wakes threads together.
          scheduler.tick-duration = 50ms
          coordinated-shutdown { run-by-clr-shutdown-hook = off, exit-clr = off }
          actor {
            provider = remote
            allow-unregistered-types = off
            serializers {
              json = "ActorLlama.Protocol.RefusingSerializer, ActorLlama.Protocol"
              cluster-message = "ActorLlama.Protocol.ClusterMessageSerializer, ActorLlama.Protocol"
            }
            serialization-bindings { "ActorLlama.Protocol.IClusterMessage, ActorLlama.Protocol" = cluster-message }
            serialization-identifiers {
              "ActorLlama.Protocol.RefusingSerializer, ActorLlama.Protocol" = 1
              "ActorLlama.Protocol.ClusterMessageSerializer, ActorLlama.Protocol" = 4107
            }
          }
          remote {
            log-remote-lifecycle-events = off
            retry-gate-closed-for = 500ms
            dot-netty.tcp {
              port = 0
              connection-timeout = 5s
              # As on the nodes: a larger message would be lost.
              maximum-frame-size = 4MiB
              send-buffer-size = 1MiB
              receive-buffer-size = 1MiB
            }
          }
          cluster.client {
            establishing-get-contacts-interval = 500ms
            # Often: while all nodes start again, one after the other, the ones that are known must be those that live.
            refresh-contacts-interval = 1s
            heartbeat-interval = 500ms
            acceptable-heartbeat-pause = 1250ms
            buffer-size = 100
            reconnect-timeout = off
          }
        }
        """;

    public static ActorSystemSetup For(string hostName, ClusterCredentials? credentials)
    {
        var setup = ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(For(hostName, isEncrypted: credentials is not null)));
        return credentials is null ? setup : setup.And(credentials.ForAkka());
    }

    private static Config For(string hostName, bool isEncrypted) =>
        ConfigurationFactory.ParseString($"akka.remote.dot-netty.tcp {{ hostname = \"{hostName}\", enable-ssl = {(isEncrypted ? "on" : "off")} }}")
            .WithFallback(ConfigurationFactory.ParseString(Text))
            .WithFallback(ClusterClientReceptionist.DefaultConfig())
            .WithFallback(DistributedPubSub.DefaultConfig());
}
