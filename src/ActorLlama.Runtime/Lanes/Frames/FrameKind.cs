namespace ActorLlama.Runtime.Lanes;

/// <summary>What a frame is. The values travel.</summary>
internal enum FrameKind : byte
{
    /// <summary>The handshake, both ways: manifest and message.</summary>
    Handshake = 1,

    /// <summary>A message without its payload.</summary>
    Message = 2,

    /// <summary>The next piece of the payload of the class's last message.</summary>
    Chunk = 3,

    /// <summary>Back to the sender: ids of messages whose credit is free again.</summary>
    Credit = 4,

    /// <summary>Back to the sender: the id of a message that nobody received, and why. Frees its credit.</summary>
    Undeliverable = 5,
    Ping = 6,
    Pong = 7,

    /// <summary>Back to the sender: path and uid of an actor that has ended. What it took and did not answer will not be answered.</summary>
    TargetEnded = 8,

    /// <summary>The last frame, either way: whoever sends it ends the connection, and lives.</summary>
    Goodbye = 9,
}
