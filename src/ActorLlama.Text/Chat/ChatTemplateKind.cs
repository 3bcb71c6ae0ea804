namespace ActorLlama.Text;

/// <summary>How a user's text becomes a prompt.</summary>
public enum ChatTemplateKind
{
    /// <summary>BOS + text, for base models.</summary>
    Completion = 0,

    /// <summary>The dialog format of <see cref="ChatFormat"/>, for Instruct models.</summary>
    Chat = 1,
}
