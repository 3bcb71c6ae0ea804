namespace ActorLlama.Text;

/// <summary>A piece of a corpus as it is read.</summary>
/// <param name="Text">Whole tokens of any vocabulary: no token lies across two blocks.</param>
/// <param name="BeginsDocument">True for the first block of a document.</param>
/// <param name="SourceBytes">Bytes of the file that were read for it.</param>
public readonly record struct TextBlock(string Text, bool BeginsDocument, long SourceBytes);
