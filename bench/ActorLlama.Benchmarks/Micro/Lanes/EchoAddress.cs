using System.Globalization;

namespace ActorLlama.Benchmarks.Micro.Lanes;

/// <summary>Where a far end listens on the loopback address, and its actor; of bare sockets only the port counts.</summary>
internal readonly record struct EchoAddress(int Port, string Path, long Uid)
{
    public static EchoAddress Parse(string line)
    {
        var parts = line.Split(' ');
        return new(int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1], long.Parse(parts[2], CultureInfo.InvariantCulture));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Port} {Path} {Uid}");
}
