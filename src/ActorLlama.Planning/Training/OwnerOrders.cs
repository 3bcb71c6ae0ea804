using ActorLlama.Protocol;

namespace ActorLlama.Planning.Training;

/// <summary>Who says what about which plan.</summary>
internal static class OwnerOrders
{
    /// <summary>The coordinator's epoch and the plan a message is about, null when about none.</summary>
    public static (long Epoch, TrainingPlanId? Plan) Of(IClusterMessage message) => message switch
    {
        TrainingProtocol.Ask ask => (ask.Epoch, null),
        TrainingProtocol.Restore restore => (restore.Epoch, restore.Plan.Id),
        TrainingProtocol.Begin begin => (begin.Epoch, begin.Plan),
        TrainingProtocol.Commit commit => (commit.Epoch, commit.Plan),
        TrainingProtocol.Abort abort => (abort.Epoch, abort.Plan),
        TrainingProtocol.AllCommitted all => (all.Epoch, all.Plan),
        TrainingProtocol.Snapshot snapshot => (snapshot.Epoch, snapshot.Plan),
        TrainingProtocol.EndSave end => (end.Epoch, end.Plan),
        TrainingProtocol.End end => (end.Epoch, null),
        _ => throw new ArgumentException($"Training: an owner was told a {message.GetType().Name}, which is not for owners."),
    };
}
