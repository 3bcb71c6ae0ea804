using System.Text;

namespace ActorLlama.Cli;

/// <summary>
/// Messages as lines of standard input: of a pipe, or typed into a terminal that can do nothing but print (<paramref name="isTyped"/>), which edits lines
/// itself. Typed, a line that ends with "\" goes on in the next.
/// </summary>
internal sealed class PlainLines(TextReader input, bool isTyped) : IMessageSource
{
    private volatile bool _isReading;
    private volatile bool _isForgotten;

    public string? Read()
    {
        var message = new StringBuilder();
        while (true)
        {
            Prompt(message.Length == 0 ? EditorView.Prompt : "  ");
            if (input.ReadLine() is not { } line) return message.Length > 0 ? message.ToString() : Ended();
            if (_isForgotten) message.Clear();
            _isForgotten = false;
            if (!isTyped || !line.EndsWith('\\'))
            {
                _isReading = false;
                return message.Append(line).ToString();
            }

            message.Append(line.AsSpan(0, line.Length - 1)).Append('\n');
        }
    }

    public void Notify(string text)
    {
        if (!isTyped)
        {
            Console.Error.WriteLine(text);
            return;
        }

        var wasReading = _isReading;
        Console.Out.WriteLine(wasReading ? $"\n{text}" : text);
        if (wasReading) Prompt(EditorView.Prompt);
    }

    /// <summary>After Ctrl-C, with which the terminal forgets what was typed.</summary>
    public void Repeat()
    {
        if (!_isReading) return;
        _isForgotten = true;
        Console.Out.WriteLine();
        Prompt(EditorView.Prompt);
    }

    private void Prompt(string prompt)
    {
        if (!isTyped) return;
        _isReading = true;
        Console.Out.Write(prompt);
        Console.Out.Flush();
    }

    private string? Ended()
    {
        _isReading = false;
        if (isTyped) Console.Out.WriteLine();
        return null;
    }
}
