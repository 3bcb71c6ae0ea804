using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace ActorLlama.Cli;

/// <summary>A file of prompts: answers into another, progress and a last line on standard error.</summary>
internal static class DecodeFile
{
    /// <summary>Prompts whose faults are told; of the others only the number is.</summary>
    private const int FaultsTold = 3;

    public static async Task<int> RunAsync(DecodeJob job, CancellationToken cancellation)
    {
        var prompts = PromptFile.Read(job.Settings.Prompts!);
        using var answers = AnswerFile.Open(job.Settings.Out!, prompts);
        if (prompts.All(prompt => answers.Answered.Contains(prompt.Number)))
        {
            Console.Error.WriteLine($"all {prompts.Length} prompts are answered already");
            return 0;
        }

        await using var attachment = await job.AttachAsync(cancellation);
        var batch = new BatchDecoding(attachment, job.Rules, answers, job.Settings.Sessions ?? DecodeCommand.Settings.DefaultSessions);
        var clock = Stopwatch.StartNew();
        var (done, tokens) = (0, 0L);
        void Count(int more) => (done, tokens) = (done + 1, tokens + more);

        if (Terminal.Error.Profile.Out.IsTerminal)
            await Terminal.Error.Progress()
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(async progress =>
                {
                    var bar = progress.AddTask("prompts", maxValue: prompts.Length);
                    bar.Increment(answers.Answered.Count);
                    await batch.RunAsync(prompts, more =>
                    {
                        Count(more);
                        bar.Description = $"{answers.Answered.Count + done} of {prompts.Length} prompts";
                        bar.Increment(1);
                    }, cancellation);
                });
        else await batch.RunAsync(prompts, Count, cancellation);
        var summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{done} prompts answered ({answers.Answered.Count} before), {tokens} tokens in {clock.Elapsed.TotalSeconds:0.0} s, {tokens / clock.Elapsed.TotalSeconds:0.0} tokens/s");
        if (batch.Faults.Count > 0) throw new InvalidDataException($"{summary}. {Told(batch.Faults)}");
        Console.Error.WriteLine(summary);
        return 0;
    }

    private static string Told(IReadOnlyDictionary<int, string> faults) =>
        $"{faults.Count} could not be answered: {string.Join(" ", faults.Take(FaultsTold).Select(fault => $"line {fault.Key}: {fault.Value}"))}"
        + (faults.Count > FaultsTold ? $" And {faults.Count - FaultsTold} more." : "");
}
