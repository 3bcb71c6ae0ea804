using System.Text;

namespace ActorLlama.Checkpoints;

/// <summary>How names and values found in files appear in one-line messages.</summary>
internal static class Quoting
{
    private const int Longest = 200;

    /// <summary>The text in quotes, control characters escaped, cut after 200 characters.</summary>
    public static string Quote(string text)
    {
        var line = new StringBuilder("\"");
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, Longest)))
            if (char.IsControl(c) || c is '"' or '\u2028' or '\u2029') line.Append($"\\u{(int)c:x4}");
            else line.Append(c);
        return line.Append(text.Length > Longest ? "…\"" : "\"").ToString();
    }

    /// <summary>A shape as in <c>[4,128,192]</c>.</summary>
    public static string Quote(IEnumerable<long> shape) => $"[{string.Join(',', shape)}]";
}
