using SharpFuzz;

namespace ActorLlama.Checkpoints.Fuzz;

/// <summary>
/// What <c>afl-fuzz</c> runs (<c>scripts/fuzz-parsers.sh</c>): one parser over the inputs that it sends, each held against <see cref="ParserContract"/>. With a path as
/// second argument: that one file, to look at a finding.
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        if (args.Length is 0 or > 2 || !ParserContract.Targets.Contains(args[0]))
        {
            Console.Error.WriteLine($"error: name one of {string.Join(", ", ParserContract.Targets)}, and a file or nothing.");
            return 2;
        }
        using var contract = new ParserContract(args[0]);
        if (args.Length == 2)
        {
            Console.Out.WriteLine(contract.Check(File.ReadAllBytes(args[1])) ?? "accepted");
            return 0;
        }
        Fuzzer.Run(stream =>
        {
            using var input = new MemoryStream();
            stream.CopyTo(input);
            contract.Check(input.ToArray());
        });
        return 0;
    }
}
