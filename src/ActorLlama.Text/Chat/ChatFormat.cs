namespace ActorLlama.Text;

/// <summary>
/// Meta's prompt format (spec 5.3). Role names, the blank line behind a header, and every content part are encoded on their own, and no
/// content is trimmed. Immutable; usable from any thread.
/// </summary>
public sealed class ChatFormat
{
    private readonly LlamaTokenizer _tokenizer;
    private readonly int _headerStart;
    private readonly int _headerEnd;
    private readonly int _endOfMessage;
    private readonly int _endOfTurn;
    private readonly int _patchesPerTile;
    private readonly int[] _blankLine;

    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="patchesPerTile">Image tokens per tile: (image size / patch size)² · pixel shuffle ratio².</param>
    /// <exception cref="InvalidDataException">The vocabulary lacks the special tokens of a dialog.</exception>
    public ChatFormat(LlamaTokenizer tokenizer, int patchesPerTile = 144)
    {
        _tokenizer = tokenizer;
        _headerStart = tokenizer.SpecialId(SpecialTokens.HeaderStart);
        _headerEnd = tokenizer.SpecialId(SpecialTokens.HeaderEnd);
        _endOfMessage = tokenizer.SpecialId(SpecialTokens.EndOfMessage);
        _endOfTurn = tokenizer.SpecialId(SpecialTokens.EndOfTurn);
        _patchesPerTile = patchesPerTile;
        _blankLine = tokenizer.Encode("\n\n");
    }

    /// <summary>The prompt of a dialog: BOS, the messages, and the header of the assistant's answer.</summary>
    /// <exception cref="InvalidDataException">A tool call cannot be written, or an image needs tokens that the vocabulary lacks.</exception>
    public int[] EncodeDialog(IEnumerable<ChatMessage> messages, ToolPromptFormat toolPromptFormat = ToolPromptFormat.Json)
    {
        var ids = new List<int> { _tokenizer.BosId };
        foreach (var message in messages) AddMessage(ids, message, toolPromptFormat);
        AddHeader(ids, ChatRole.Assistant);
        return [.. ids];
    }

    /// <summary>One message with its header and terminator, to append to a dialog that goes on.</summary>
    /// <exception cref="InvalidDataException">As for <see cref="EncodeDialog"/>.</exception>
    public int[] EncodeMessage(ChatMessage message, ToolPromptFormat toolPromptFormat = ToolPromptFormat.Json)
    {
        var ids = new List<int>();
        AddMessage(ids, message, toolPromptFormat);
        return [.. ids];
    }

    /// <summary>The prompt of a base model: BOS, then the content.</summary>
    public static int[] EncodeCompletion(LlamaTokenizer tokenizer, string text) => [tokenizer.BosId, .. tokenizer.Encode(text)];

    private void AddMessage(List<int> ids, ChatMessage message, ToolPromptFormat toolPromptFormat)
    {
        AddHeader(ids, message.Role);
        foreach (var part in message.Content) AddPart(ids, part);
        if (message is { Role: ChatRole.User, Context: { } context })
        {
            ids.AddRange(_blankLine);
            ids.AddRange(_tokenizer.Encode(context));
        }
        if (message.Role == ChatRole.Assistant)
            foreach (var call in message.ToolCalls)
                ids.AddRange(_tokenizer.Encode(ToolCallWriter.Write(call, toolPromptFormat)));
        ids.Add(GoesOn(message) ? _endOfMessage : _endOfTurn);
    }

    private static bool GoesOn(ChatMessage message) => message.Role switch
    {
        ChatRole.Assistant => message.StopReason == StopReason.EndOfMessage || message.ToolCalls.Length > 0,
        ChatRole.Tool => true,
        _ => false,
    };

    private void AddHeader(List<int> ids, ChatRole role)
    {
        ids.Add(_headerStart);
        ids.AddRange(_tokenizer.Encode(role switch
        {
            ChatRole.System => "system",
            ChatRole.User => "user",
            ChatRole.Assistant => "assistant",
            ChatRole.Tool => "ipython",
            _ => throw new ArgumentOutOfRangeException(nameof(role), role, "Chat: no such role."),
        }));
        ids.Add(_headerEnd);
        ids.AddRange(_blankLine);
    }

    private void AddPart(List<int> ids, ContentPart part)
    {
        switch (part)
        {
            case ContentPart.Text text: ids.AddRange(_tokenizer.Encode(text.Value)); break;
            case ContentPart.Image image: AddImage(ids, image); break;
        }
    }

    /// <summary>The tokens of one image (spec 4.9): its grid if it has one, then the tile of the whole image.</summary>
    private void AddImage(List<int> ids, ContentPart.Image image)
    {
        ids.Add(_tokenizer.SpecialId(SpecialTokens.ImageStart));
        if (image.TileCount > 1)
        {
            for (var row = 0; row < image.Rows; row++)
            {
                for (var column = 0; column < image.Columns; column++)
                {
                    AddTile(ids);
                    if (column < image.Columns - 1) ids.Add(_tokenizer.SpecialId(SpecialTokens.TileXSeparator));
                }
                ids.Add(_tokenizer.SpecialId(SpecialTokens.TileYSeparator));
            }
        }
        ids.Add(_tokenizer.SpecialId(SpecialTokens.Image));
        AddTile(ids);
        ids.Add(_tokenizer.SpecialId(SpecialTokens.ImageEnd));
    }

    private void AddTile(List<int> ids) => ids.AddRange(Enumerable.Repeat(_tokenizer.SpecialId(SpecialTokens.Patch), _patchesPerTile));
}
