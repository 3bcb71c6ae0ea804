using System.Runtime.InteropServices;
using ActorLlama.Node;

using var stop = new CancellationTokenSource();
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
string? file = args is ["--config", var name, ..] ? name : null;
try
{
    return await NodeProgram.RunAsync(new NodeArguments(file, [.. args[(file is null ? 0 : 2)..]], Json: false), stop.Token);
}
catch (Exception e) when (e is InvalidDataException or IOException)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}

void OnSignal(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
