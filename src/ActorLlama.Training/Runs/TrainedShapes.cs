using ActorLlama.Model;
using ActorLlama.Planning.Training;
using ActorLlama.Protocol;

namespace ActorLlama.Training.Runs;

/// <summary>A model as the training planner sees it, from its config.</summary>
public static class TrainedShapes
{
    /// <param name="model">Name and counts.</param>
    /// <param name="config">The model.</param>
    public static TrainedShape Of(ModelShape model, LlamaConfig config)
    {
        var parameters = ParameterTable.Of(config).Parameters;
        var experts = parameters.Where(parameter => parameter.Group == ParameterGroup.Experts).Sum(parameter => parameter.Elements);
        return new TrainedShape(
            model,
            [.. parameters.Where(parameter => parameter.Group != ParameterGroup.Experts).Select(parameter => new TrunkParameter(parameter.Name, TrunkSegments.OfParameter(config, parameter), parameter.Elements))],
            experts == 0 ? 0 : experts / config.Experts);
    }
}
