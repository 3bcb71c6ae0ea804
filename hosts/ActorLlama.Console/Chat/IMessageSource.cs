namespace ActorLlama.Cli;

/// <summary>Where a person's messages come from: an editor on a terminal, or plain lines.</summary>
internal interface IMessageSource
{
    /// <summary>The next message, or null at the end of input. Blocks.</summary>
    string? Read();

    /// <summary>Tells something that happened by itself, also while a message is being typed. From any thread.</summary>
    void Notify(string text);
}
