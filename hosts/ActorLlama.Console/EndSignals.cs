using System.Runtime.InteropServices;

namespace ActorLlama.Cli;

/// <summary>While it lives, Ctrl-C and SIGTERM cancel <see cref="Token"/> instead of ending the process; a second one ends it.</summary>
internal sealed class EndSignals : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    public EndSignals()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
    }

    public CancellationToken Token => _ended.Token;

    /// <summary>From now on Ctrl-C is somebody else's.</summary>
    public void LeaveInterrupts() => _interrupt.Dispose();

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _ended.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (_ended.IsCancellationRequested) return;
        context.Cancel = true;
        _ended.Cancel();
    }
}
