using System.Diagnostics;
using ActorLlama.Kernels.Probe;

namespace ActorLlama.Kernels.Tests;

public sealed class InstructionSetTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512")]
    [InlineData("DOTNET_EnableAVX2")]
    [InlineData("DOTNET_EnableHWIntrinsic")]
    public async Task Kernels_give_the_same_bits_without_an_instruction_set(string knob)
    {
        var lines = (await RunProbe(knob)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var expected = KernelHashes.All(threads: 2).Select(h => $"{h.Name} {h.Hash}");
        Assert.Equal(expected, lines.Skip(1));
        // The first line says what was left, so a knob that does nothing is noticed.
        var left = lines[0].Split(' ');
        Assert.Equal("instructions", left[0]);
        Assert.Equal("False", left[1]);
        if (knob != "DOTNET_EnableAVX512") Assert.Equal("False", left[2]);
        if (knob == "DOTNET_EnableHWIntrinsic") Assert.Equal("False", left[3]);
    }

    [Fact]
    public void Kernels_give_the_same_bits_on_any_number_of_threads()
    {
        var one = KernelHashes.All(1).ToList();
        Assert.Equal(one, KernelHashes.All(2));
        Assert.Equal(one, KernelHashes.All(3));
    }

    private static async Task<string> RunProbe(string knob)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            RedirectStandardOutput = true,
            ArgumentList = { "exec", Path.Combine(AppContext.BaseDirectory, "ActorLlama.Kernels.Probe.dll") },
            Environment = { [knob] = "0" },
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
