using System.Collections.Immutable;
using ActorLlama.Model;
using ActorLlama.Planning.Sessions;
using ActorLlama.Protocol;
using ActorLlama.Runtime.Nodes;
using ActorLlama.Text;

namespace ActorLlama.Runtime.Sessions;

/// <summary>What a client asked for, made into ids and checked. Every fault is an <see cref="InvalidDataException"/>.</summary>
internal static class SessionPrompt
{
    public static SessionRequest Read(NodeModel model, SessionProtocol.Open open, SessionOptions options)
    {
        var sampling = open.Sampling ?? DefaultSampling.Of(model);
        ModelSampling.Of(sampling).Check();
        if (open.Choice < 0) throw new InvalidDataException($"Generation: choice {open.Choice} must be 0 or more.");
        if (open.LogProbs is < 0 or > TokenLikelihood.MaxTop)
            throw new InvalidDataException($"Generation: log-probabilities of {open.LogProbs} ids were asked for; from 0 to {TokenLikelihood.MaxTop} can be.");
        if (open.Limits.StopStrings.Length > 0 && model.Tokenizer is null)
            throw new InvalidDataException("Generation: stop strings need a tokenizer, and this checkpoint has none. Leave them out.");
        foreach (var id in open.GeneratedSoFar) Check(model.Config, id, "generated");
        var request = new SessionRequest(
            open.Session, open.Epoch, Ids(model, open.Prompt), open.Limits.MaxTokens,
            open.Limits.IgnoreEos ? [] : model.Config.EosIds, sampling, open.Logits, model.Config.MaxPositions)
        {
            Priority = open.Limits.Priority,
            DeadlineMs = open.Limits.DeadlineMs,
            Choice = open.Choice,
            LogProbs = open.LogProbs,
            IsSuspect = open.IsSuspect,
        };
        return request.Fault(open.GeneratedSoFar.Length, options) is { } fault ? throw new InvalidDataException(fault) : request;
    }

    private static ImmutableArray<int> Ids(NodeModel model, Prompt prompt)
    {
        if (prompt is { Tools.Length: > 0, Dialog: null }) throw new InvalidDataException("Prompt: tools were given without a dialog. Leave them out, or give a dialog.");
        switch (prompt)
        {
            case { Tokens: { } ids, Text: null, Dialog: null }:
                foreach (var id in ids) Check(model.Config, id, "prompt");
                return ids;
            case { Tokens: null, Text: { } text, Dialog: null }:
                if (text.Length == 0) throw new InvalidDataException("Prompt: it is empty; it must hold at least one character.");
                return [.. ChatFormat.EncodeCompletion(Tokenizer(model), text)];
            case { Tokens: null, Text: null, Dialog: { } turns }:
                if (turns.IsEmpty) throw new InvalidDataException("Prompt: the dialog is empty; it must hold at least one message.");
                var tools = (prompt.Tools ?? []).Select(tool => new ToolDefinition(tool.Name, tool.Description, tool.ParametersJson));
                return [.. new ChatFormat(Tokenizer(model)).EncodeDialog(ToolPrompt.AddTools([.. turns.Select(Message)], [.. tools]))];
            default:
                throw new InvalidDataException("Prompt: give exactly one of token ids, text and dialog.");
        }
    }

    private static LlamaTokenizer Tokenizer(NodeModel model) => model.Tokenizer
        ?? throw new InvalidDataException("Prompt: this checkpoint has no tokenizer.model. Give the prompt as token ids.");

    private static void Check(LlamaConfig config, int id, string what)
    {
        if (id < 0 || id >= config.VocabSize)
            throw new InvalidDataException($"Prompt: {what} id {id} is not in the vocabulary of {config.VocabSize} ids, 0..{config.VocabSize - 1}.");
    }

    private static ChatMessage Message(ChatTurn turn)
    {
        var role = turn.Role switch
        {
            "system" => ChatRole.System,
            "user" => ChatRole.User,
            "assistant" => ChatRole.Assistant,
            "tool" => ChatRole.Tool,
            _ => throw new InvalidDataException($"Prompt: role \"{turn.Role}\" is not one of system, user, assistant, tool."),
        };
        if (turn.Calls is { Length: > 0 } calls && role != ChatRole.Assistant)
            throw new InvalidDataException($"Prompt: a message of role \"{turn.Role}\" makes {calls.Length} tool calls; only an assistant's may.");
        return new ChatMessage(role, turn.Content) { ToolCalls = [.. (turn.Calls ?? []).Select(call => new ToolCall(call.Name, call.ArgumentsJson))] };
    }
}
