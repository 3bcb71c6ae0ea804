using System.Collections.Immutable;
using System.Net;
using System.Text.RegularExpressions;
using ActorLlama.Model;
using ActorLlama.Trust;
using Akka.Configuration;

namespace ActorLlama.Runtime.Configuration;

/// <summary>Binds a node's settings, with all faults listed at once.</summary>
public static partial class NodeOptionsReader
{
    private const string Root = "actorllama.";
    private const string CertificatesKey = Root + "security.certificates";

    /// <summary>Throws <see cref="InvalidDataException"/> naming every setting that breaks its rule.</summary>
    public static NodeOptions Read(Config config)
    {
        var setting = new Setting(config);
        var options = new NodeOptions
        {
            Name = setting.Text(Root + "node.name"),
            Roles = Roles(setting),
            Devices = Devices(setting, config),
            PlacesThreads = setting.OneOf(Root + "node.placement", setting.Text(Root + "node.placement"), ("off", false), ("cores", true)),
            OfferInterval = setting.Time(Root + "node.offer-interval"),
            EndsWithStandardInput = setting.OneOf(Root + "node.lifeline", setting.Text(Root + "node.lifeline"), ("none", false), ("stdin", true)),
            Cluster = Cluster(setting),
            Certificates = setting.Text(CertificatesKey),
            Model = Model(setting),
            Supervisor = PlanSettings.Read(setting),
            Scheduler = ServingSettings.Scheduler(setting),
            Session = ServingSettings.Session(setting),
            MaxSessions = setting.Number(Root + "session.max-sessions", 1, 1 << 20),
            ExpertCalls = ServingSettings.ExpertCalls(setting),
            Lane = LaneSettings.Read(setting),
            Telemetry = TelemetrySettings.Read(setting),
            PhaseFolder = setting.Text(Root + "training.phase-folder"),
            Akka = config,
        };
        setting.ThrowIfAny();
        return options;
    }

    private static ImmutableArray<string> Roles(Setting setting)
    {
        var roles = setting.Texts(Root + "node.roles");
        foreach (var role in roles)
            _ = setting.OneOf(
                Root + "node.roles", role, (NodeOptions.Trunk, 0), (NodeOptions.Experts, 0), (NodeOptions.Control, 0));
        return roles.Length > 0 ? roles : setting.Fault(Root + "node.roles", "[]", "a list of at least one role", roles);
    }

    private static ClusterOptions Cluster(Setting setting)
    {
        var host = setting.Text(Root + "cluster.host");
        var isLoopback = host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
        var isEncrypted = setting.Text(CertificatesKey).Length > 0;
        if (!isLoopback && !isEncrypted && !setting.Flag(Root + "cluster.allow-plaintext"))
            _ = setting.Fault(
                Root + "cluster.host", host,
                "a loopback address: traffic is not encrypted; name a folder of actorllama cert init in actorllama.security.certificates, "
                + "or set actorllama.cluster.allow-plaintext = on to accept that", 0);
        var seeds = setting.Texts(Root + "cluster.seeds").Select(seed => Seed(setting, seed, isEncrypted));
        return new(host, setting.Number(Root + "cluster.port", 0, 65535), [.. seeds], setting.Time(Root + "cluster.join-timeout"),
            setting.Time(Root + "cluster.rejoin-for"), setting.Flag(Root + "cluster.declare-gone"));
    }

    /// <summary>As nodes are reached here; both spellings of an address are understood.</summary>
    private static string Seed(Setting setting, string seed, bool isEncrypted) =>
        Akka.Actor.Address.TryParse(seed, out var address) && AkkaProtocols.IsTcp(address)
            ? AkkaProtocols.Reached(address, isEncrypted).ToString()
            : setting.Fault(Root + "cluster.seeds", seed, "an address such as akka.tcp://actorllama@127.0.0.1:4053", seed);

    private static ModelOptions Model(Setting setting)
    {
        var path = setting.Text(Root + "model.path");
        if (path.Length == 0) path = setting.Fault(Root + "model.path", path, "a checkpoint directory", path);
        var dtype = setting.OneOf(
            Root + "model.dtype", setting.Text(Root + "model.dtype"),
            ("float32", ActivationType.Float32), ("bfloat16", ActivationType.BFloat16));
        var weights = setting.OneOf(
            Root + "model.weight-dtype", setting.Text(Root + "model.weight-dtype"), ("stored", WeightType.Stored), ("int8", WeightType.Int8));
        var copies = setting.OneOf(Root + "model.weight-memory", setting.Text(Root + "model.weight-memory"), ("copied", true), ("mapped", false));
        var rate = setting.Text(Root + "model.load-rate") is "unlimited" ? (long?)null : Math.Max(1, setting.Bytes(Root + "model.load-rate"));
        var mixes = setting.OneOf(Root + "model.numerics", setting.Text(Root + "model.numerics"), ("equal", false), ("mixed", true));
        return new(path, dtype, weights, copies, setting.Flag(Root + "model.allow-nan"), setting.Flag(Root + "model.serve"), rate, setting.Time(Root + "model.load-stall")) { MixesNumerics = mixes };
    }

    private static ImmutableArray<DeviceOptions> Devices(Setting setting, Config config)
    {
        const string key = Root + "node.devices";
        var entries = DeviceEntries(setting, config);
        if (entries.IsEmpty) return setting.Fault(key, "[]", "a list of at least one device", ImmutableArray<DeviceOptions>.Empty);
        foreach (var twice in entries.GroupBy(e => e["device"]).Where(g => g.Count() > 1)) _ = setting.Fault(key, twice.Key, "named once", 0);
        return [.. entries.Select(entry => Device(setting, key, entry, entries.Length))];
    }

    private static DeviceOptions Device(Setting setting, string key, Dictionary<string, string> entry, int devices)
    {
        string Of(string field) => entry.TryGetValue(field, out var own) ? own : setting.Text($"{Root}node.device-defaults.{field}");
        var name = entry["device"];
        if (!DeviceName().IsMatch(name)) name = setting.Fault(key, name, "\"cpu:N\" or \"cuda:N\"", "cpu:0");
        var isCpu = name.StartsWith("cpu:", StringComparison.Ordinal);
        var backend = setting.OneOf(
            "backend of " + name, Of("backend"),
            ("auto", isCpu ? BackendKind.Cpu : BackendKind.Torch), ("cpu", BackendKind.Cpu), ("torch", BackendKind.Torch));
        if (backend == BackendKind.Cpu && !isCpu) _ = setting.Fault("backend of " + name, "cpu", "\"torch\": own kernels run on CPU devices only", 0);
        var memory = Of("memory") == "auto"
            ? (long)(0.8 * (TorchDevices.MemoryOf(name) ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / devices))
            : setting.Bytes("memory of " + name, Of("memory"));
        var threads = Of("threads") switch
        {
            "auto" => Math.Max(1, Environment.ProcessorCount / devices),
            var text when int.TryParse(text, out var n) && n is >= 1 and <= 1024 => n,
            var text => setting.Fault("threads of " + name, text, "\"auto\" or a whole number from 1 to 1024", 1),
        };
        return new(name, backend, memory, threads, setting.Time(Root + "node.device-defaults.stuck-after")) { Deterministic = setting.Flag("deterministic of " + name, Of("deterministic")) };
    }

    private static ImmutableArray<Dictionary<string, string>> DeviceEntries(Setting setting, Config config)
    {
        var entries = ImmutableArray.CreateBuilder<Dictionary<string, string>>();
        var list = config.GetValue(Root + "node.devices");
        foreach (var item in list.IsArray() ? list.GetArray() : [])
        {
            if (!item.IsObject())
            {
                entries.Add(new() { ["device"] = item.GetString() });
                continue;
            }

            var fields = item.GetObject().Items.ToDictionary(f => f.Key, f => f.Value.GetString());
            foreach (var field in fields.Keys.Except(["device", "backend", "memory", "threads", "deterministic"]))
                _ = setting.Fault(Root + "node.devices", field, "one of the fields device, backend, memory, threads, deterministic", 0);
            if (fields.ContainsKey("device")) entries.Add(fields);
            else _ = setting.Fault(Root + "node.devices", item.ToString(), "an entry with a field device", 0);
        }

        return entries.DrainToImmutable();
    }

    [GeneratedRegex("^(cpu|cuda):[0-9]{1,3}$")]
    private static partial Regex DeviceName();
}
