using System.Collections.Immutable;
using System.Text.Json;

namespace ActorLlama.Training.Reports;

/// <summary>A run as its <c>metrics_file</c> tells of it.</summary>
/// <param name="RunName">Name of the run.</param>
/// <param name="Steps">Steps, ascending, each once.</param>
/// <param name="Evaluations">Evaluations, ascending, each once.</param>
public sealed record RunMetrics(string RunName, ImmutableArray<RunMetrics.StepPoint> Steps, ImmutableArray<RunMetrics.EvalPoint> Evaluations)
{
    /// <summary>One step.</summary>
    public sealed record StepPoint(long Step, double Loss, double LearningRate, double TokensPerSecond);

    /// <summary>One evaluation.</summary>
    public sealed record EvalPoint(long Step, double Loss);

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is none of a metrics file, or there is no step.</exception>
    public static RunMetrics Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"Metrics: \"{path}\" does not exist. Name the metrics_file of a run.", path);
        var (steps, evaluations, name) = (new SortedDictionary<long, StepPoint>(), new SortedDictionary<long, EvalPoint>(), "");
        var lines = File.ReadAllLines(path);
        foreach (var (line, number) in lines.Select((line, i) => (line, i + 1)).Where(pair => pair.line.Length > 0))
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                var step = json.RootElement.GetProperty("step").GetInt64();
                name = json.RootElement.GetProperty("run_name").GetString() ?? "";
                if (json.RootElement.TryGetProperty("eval/avg_loss", out var loss)) evaluations[step] = new EvalPoint(step, Number(loss));
                else steps[step] = new StepPoint(step, Of("learning/loss"), Of("learning/current_learning_rate"), Of("perf/per_device_tokens_per_sec"));

                double Of(string key) => Number(json.RootElement.GetProperty(key));
            }
            // A killed run may leave half a line, at its end or where a later one went on.
            catch (JsonException) when (!line.EndsWith('}'))
            {
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new InvalidDataException($"Metrics: line {number} of \"{path}\" is no line of a metrics_file. Name the metrics_file of a run.", e);
            }
        }
        return steps.Count > 0
            ? new RunMetrics(name, [.. steps.Values], [.. evaluations.Values])
            : throw new InvalidDataException($"Metrics: \"{path}\" tells of no step. Name the metrics_file of a run that has made one.");
    }

    private static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? double.Parse(value.GetString()!, System.Globalization.CultureInfo.InvariantCulture) : value.GetDouble();
}
