using ActorLlama.Protocol;

namespace ActorLlama.Planning.Batching;

/// <summary>What a scheduler tells sessions.</summary>
internal static class SchedulerAnswers
{
    public static SchedulerEffect.Tell Accepted(ScheduledSequence sequence, int ahead) => new(
        sequence.ReplyKey,
        new SchedulerProtocol.Accepted(
            sequence.Submit.Session, sequence.Submit.Attempt, sequence.Computed, ahead,
            sequence.IsSuspect && sequence.Phase is SequencePhase.InFlight or SequencePhase.Yielding));

    public static SchedulerEffect.Tell Sampled(ScheduledSequence sequence, int position, bool isLast) => new(
        sequence.ReplyKey,
        new SchedulerProtocol.Sampled(
            sequence.Submit.Session, sequence.Submit.Attempt, position, sequence.Tokens[position], isLast, sequence.LogProbsAt(position)));

    public static SchedulerEffect.Tell Busy(SchedulerProtocol.Submit submit, string replyKey, int waiting, SchedulerOptions options) => Refused(
        submit.Session, submit.Attempt, replyKey, RefusalReason.Busy,
        $"Scheduler: {waiting} sequences wait already, and at most {options.MaxWaiting} may. Try again later.",
        AdmissionRules.RetryAfterMs(waiting, options.MaxSequences));

    public static SchedulerEffect.Tell Stale(SessionId session, long attempt, ScheduledSequence known, string replyKey) => Refused(
        session, attempt, replyKey, RefusalReason.Stale,
        $"Scheduler: attempt {attempt} of session \"{session}\" is older than {known.Submit.Attempt}, which runs here.");

    public static SchedulerEffect.Tell Unknown(SessionId session, long attempt, string replyKey) =>
        Refused(session, attempt, replyKey, RefusalReason.Unknown, $"Scheduler: session \"{session}\" is not known here.");

    public static SchedulerEffect.Tell Refused(ScheduledSequence sequence, RefusalReason reason, string message) =>
        Refused(sequence.Submit.Session, sequence.Submit.Attempt, sequence.ReplyKey, reason, message);

    public static SchedulerEffect.Tell Refused(
        SessionId session, long attempt, string replyKey, RefusalReason reason, string message, int retryAfterMs = 0) =>
        new(replyKey, new SchedulerProtocol.Refused(session, attempt, reason, message, retryAfterMs));
}
