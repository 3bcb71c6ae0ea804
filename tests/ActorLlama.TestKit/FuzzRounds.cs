using System.Globalization;

namespace ActorLlama.TestKit;

/// <summary>How many seeds a fuzz test takes: those of the gate, or as many times more as <c>ACTORLLAMA_FUZZ_SCALE</c> says (<c>scripts/fuzz-wire.sh</c>).</summary>
public static class FuzzRounds
{
    public static int Of(int rounds) => rounds * int.Parse(Environment.GetEnvironmentVariable("ACTORLLAMA_FUZZ_SCALE") ?? "1", CultureInfo.InvariantCulture);
}
