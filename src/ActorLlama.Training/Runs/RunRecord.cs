using System.Text.Json;

namespace ActorLlama.Training.Runs;

/// <summary>What a run keeps of itself in its checkpoints, beside weights and optimizer.</summary>
/// <param name="Updates">Updates made: fewer than steps where steps were left out because something was not finite.</param>
/// <param name="Data">Flags on which it depends which tokens a step sees, as they were.</param>
public sealed record RunRecord(long Updates, IReadOnlyDictionary<string, string> Data)
{
    /// <summary>Sequences of the global batch; null where the run that wrote the record did not say.</summary>
    public int? Slots { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <param name="json">What <see cref="ToJson"/> gave.</param>
    /// <param name="checkpoint">For messages.</param>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static RunRecord Parse(string json, string checkpoint)
    {
        try
        {
            return JsonSerializer.Deserialize<RunRecord>(json) is { Data: not null } record ? record : throw new JsonException();
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"Training: the record in \"{checkpoint}\" is none of this program's. Start from its weights alone with load_parameters_path.", e);
        }
    }

    /// <summary>Flags that are other ones now, and what they were.</summary>
    public IEnumerable<string> Differences(IReadOnlyDictionary<string, string> now) =>
        Data.Where(then => now.TryGetValue(then.Key, out var value) && value != then.Value).Select(then => $"{then.Key} was {then.Value}");
}
