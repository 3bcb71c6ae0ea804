using ActorLlama.Checkpoints;

namespace ActorLlama.Training.Runs;

/// <summary>
/// Writes a run's checkpoints into its folder. With <c>async_checkpointing</c> a save copies the state and returns; it is written while the run goes on, one
/// checkpoint at a time: the next save waits for the one before it.
/// </summary>
/// <param name="folder">Of the run.</param>
/// <param name="isAsync"><c>async_checkpointing</c>.</param>
public sealed class CheckpointSaver(RunFolder folder, bool isAsync) : IDisposable
{
    private Thread? _writing;
    private Exception? _fault;

    /// <summary>Saves, or begins to. Throws what the write before it failed with, if it did.</summary>
    /// <exception cref="InvalidDataException">A checkpoint cannot be written.</exception>
    public void Save(TrainedState state)
    {
        Finish();
        var target = folder.CheckpointOf(state.Step);
        if (!isAsync)
        {
            TrainingCheckpoint.Write(target, state);
            return;
        }
        var copy = StateCopy.Of(state);
        _writing = new Thread(() =>
        {
            try
            {
                TrainingCheckpoint.Write(target, copy.State);
            }
            catch (Exception fault)
            {
                _fault = fault;
            }
            finally
            {
                copy.Dispose();
            }
        })
        { IsBackground = true, Name = "checkpoint" };
        _writing.Start();
    }

    /// <summary>Waits until what was begun is written. Throws what it failed with, if it did.</summary>
    /// <exception cref="InvalidDataException">A checkpoint could not be written.</exception>
    public void Finish()
    {
        _writing?.Join();
        _writing = null;
        if (Interlocked.Exchange(ref _fault, null) is { } fault) throw new InvalidDataException(fault.Message, fault);
    }

    public void Dispose() => _writing?.Join();
}
