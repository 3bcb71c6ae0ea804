using System.Text;

namespace ActorLlama.Training.Actors;

/// <summary>
/// Which phase of a step a device or a coordinator is in: a line in a file for each that it enters, handed to the system before what it names begins. Whoever stops the process and then
/// reads knows where it stands.
/// </summary>
internal sealed class PhaseNotes : IDisposable
{
    // A device's loader and a coordinator's file threads note, too.
    private readonly Lock _lock = new();
    private FileStream? _file;
    private string _last = "";

    /// <param name="folder">Where the file goes; "": nothing is noted.</param>
    /// <param name="who">The device, or the coordinator; the file is named by this and the process's id.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public PhaseNotes(string folder, string who)
    {
        if (folder.Length == 0) return;
        Directory.CreateDirectory(folder);
        // Without a buffer each line is a call of the system.
        _file = new FileStream(Path.Combine(folder, $"{Environment.ProcessId}-{who}"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
    }

    /// <summary>It is entered now. Once for each change.</summary>
    public void Note(string phase, long step)
    {
        lock (_lock)
        {
            if (_file is null || $"{phase} {step}\n" is var line && line == _last) return;
            _last = line;
            _file.Write(Encoding.ASCII.GetBytes(line));
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _file?.Dispose();
            _file = null;
        }
    }
}
