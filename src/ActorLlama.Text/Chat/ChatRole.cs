namespace ActorLlama.Text;

/// <summary>Who speaks in a dialog.</summary>
public enum ChatRole
{
    System = 0,
    User = 1,
    Assistant = 2,

    /// <summary>The result of a tool call; the prompt calls this role "ipython".</summary>
    Tool = 3,
}
