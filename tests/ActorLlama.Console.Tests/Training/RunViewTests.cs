using ActorLlama.Training.Reports;
using Spectre.Console.Testing;

namespace ActorLlama.Cli.Tests;

public sealed class RunViewTests
{
    private static readonly RunProgress s_begin = new(
        new RunFigures("night-run", 1000, new StepFlops(0.5, 0.5), 400, 3), 100, [], null, null, 0, [("cpu:0", 3L << 30, 8L << 30)], null);

    [Fact]
    public void A_curve_falls_from_the_left_above_to_the_right_below()
    {
        Assert.Equal(
            ["   4.000 |*", "         | *", "         |  *", "   1.000 |   *"],
            LossChart.Lines([4, 3, 2, 1], 80, 4));
        Assert.Equal(["   3.500 |*", "   1.500 | *"], LossChart.Lines([4, 3, 2, 1], 12, 2));
        Assert.Equal(["   2.000 |", "   2.000 |* *"], LossChart.Lines([2, double.NaN, 2], 80, 2));
        Assert.Empty(LossChart.Lines([], 80, 4));
        Assert.Empty(LossChart.Lines([double.NaN], 80, 4));
    }

    [Fact]
    public void A_run_is_shown_with_its_pace_its_memory_and_its_experts()
    {
        var progress = s_begin.With(Step(0, 9), Map(1)).With(Step(1, 5), Map(60)) with { Evaluation = new EvalReport(1, 4, 10, 0, 0, 2) };
        Assert.Equal(TimeSpan.FromSeconds(98 * 2), progress.TimeLeft);
        var lines = Shown(progress, 90, 40);
        Assert.Equal("night-run: step 2 of 100, loss 5.000, learning rate 0.001, 3 min 16 s left", lines[0]);
        Assert.Equal("   9.000 |*", lines[1]);
        Assert.Equal("   5.000 | *", lines[12]);
        Assert.Equal("2.000 s a step, 200 tokens/s and 0.500 TFLOP/s a device", lines[13]);
        Assert.Equal("held out after step 1: loss 4.000, 2.885 bits per byte", lines[14]);
        Assert.Equal("cpu:0 3.0 GiB of 8.0 GiB", lines[15]);
        Assert.Equal(["Tokens by layer and expert in the last step", "layer experts 0-2", "    1 |.@ |"], lines[16..19]);
    }

    [Fact]
    public void Nothing_is_wider_or_higher_than_the_terminal()
    {
        var progress = s_begin;
        for (var step = 0; step < 500; step++) progress = progress.With(Step(step, 9 - step / 100.0), Map(60));
        foreach (var (columns, rows) in ((int, int)[])[(40, 24), (80, 12), (30, 9), (120, 50)])
        {
            var lines = Shown(progress, columns, rows);
            Assert.InRange(lines.Length, 1, rows);
            Assert.All(lines, line => Assert.InRange(line.Length, 0, columns));
        }
        Assert.DoesNotContain(Shown(progress, 80, 9), line => line.Contains("expert", StringComparison.Ordinal));
        Assert.Equal(["night-run: step 0 of 100", "cpu:0 3.0 GiB of 8.0 GiB"], Shown(s_begin, 80, 24));
    }

    private static StepReport Step(long step, double loss) => new() { Step = step, Seconds = 2, Loss = loss, LmLoss = loss, TotalWeights = 400, LearningRate = 1e-3 };

    private static ExpertMap Map(long most) => new([1], 3, [1, most, 0]);

    private static string[] Shown(RunProgress progress, int columns, int rows)
    {
        using var console = new TestConsole();
        console.Profile.Width = columns;
        console.Write(RunView.Of(progress, columns, rows));
        return [.. console.Lines.Select(line => line.TrimEnd())];
    }
}
