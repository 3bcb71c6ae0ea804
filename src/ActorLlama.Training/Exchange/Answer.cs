using System.Runtime.CompilerServices;

namespace ActorLlama.Training;

/// <summary>
/// Something that is awaited on a device's thread and arrives there: who awaits goes on at once, on that thread, within the call that brings it. Awaited once.
/// </summary>
internal sealed class Answer<T> : INotifyCompletion, ISpent, IDisposable
{
    private Action? _goOn;
    private Exception? _fault;
    private T? _value;

    public bool IsCompleted { get; private set; }

    public bool IsSpent { get; private set; }

    public static Answer<T> Of(T value) => new() { _value = value, IsCompleted = true };

    public Answer<T> GetAwaiter() => this;

    /// <summary>What has arrived. Throws what <see cref="Fail"/> was given.</summary>
    public T GetResult()
    {
        IsSpent = true;
        return _fault is null ? _value! : throw _fault;
    }

    public void OnCompleted(Action continuation) => _goOn = continuation;

    public void Set(T value)
    {
        _value = value;
        End();
    }

    public void Fail(Exception fault)
    {
        _fault = fault;
        End();
    }

    /// <summary>Frees what has arrived and was not taken.</summary>
    public void Dispose()
    {
        if (!IsSpent) (_value as IDisposable)?.Dispose();
        IsSpent = true;
    }

    private void End()
    {
        IsCompleted = true;
        _goOn?.Invoke();
    }
}

/// <summary>Something that is taken once.</summary>
internal interface ISpent
{
    /// <summary>It was taken, or will not be.</summary>
    bool IsSpent { get; }
}
