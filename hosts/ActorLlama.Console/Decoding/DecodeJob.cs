using ActorLlama.Model;
using ActorLlama.Protocol;

namespace ActorLlama.Cli;

/// <summary>What <c>decode</c> is asked to do: its options, MaxText's flags if there are any, and where the model is.</summary>
/// <param name="Settings">Options and arguments.</param>
/// <param name="Flags">Flags of the command line over those of the file; null without flags.</param>
/// <param name="Rules">How requests are made.</param>
internal sealed record DecodeJob(DecodeCommand.Settings Settings, RunFlags? Flags, IDecodeRules Rules)
{
    /// <summary>The rules when flags were given.</summary>
    public FlagRules? FlagRules => Rules as FlagRules;

    /// <summary>Throws <see cref="InvalidDataException"/> for a settings file or flags that cannot be used. Tells once which flags have no effect.</summary>
    public static DecodeJob Of(DecodeCommand.Settings settings)
    {
        if (settings.Flags.Length == 0) return new(settings, null, new OptionRules(settings));
        var flags = FlagArguments.AllOf(settings.Flags);
        if (DecodeUsage.Fault(settings, flags) is { } fault) throw new InvalidDataException(fault);
        var rules = new FlagRules(flags);
        FlagArguments.TellWithoutEffect(flags, FlagUse.Decode);
        return new(settings, flags, rules);
    }

    /// <summary>
    /// Serves the checkpoint, or attaches to a running cluster. Throws <see cref="InvalidDataException"/> when the model is not the one that
    /// model_name says.
    /// </summary>
    public async Task<Attachment> AttachAsync(CancellationToken cancellation)
    {
        var folder = Flags?.Text("load_parameters_path") is { Length: > 0 } path ? path : Settings.Model;
        var attachment = folder is null
            ? await Settings.AttachAsync(model => new LocalClusterOptions(1, model), cancellation)
            : await Attachment.ToOwnAsync(new LocalClusterOptions(1, folder) { ConfigFile = Settings.FlagFile, Dtype = GivenDtype() }, cancellation);
        try
        {
            CheckModel(attachment.Model.Shape);
            return attachment;
        }
        catch
        {
            await attachment.DisposeAsync();
            throw;
        }
    }

    private string? GivenDtype() => Flags is { } flags && flags.Has("dtype") ? flags.Text("dtype") : null;

    private void CheckModel(ModelShape served)
    {
        if (Flags?.Text("model_name") is not { } name || name == "default") return;
        var wanted = ProgramFiles.ModelShape(name, ActivationType.BFloat16);
        (string What, int Wanted, int Served)[] sizes =
        [
            ("layers", wanted.Layers.Length, served.Layers.Length), ("experts", wanted.Experts, served.Experts),
            ("MoE layers", wanted.MoeLayers, served.MoeLayers), ("hidden size", wanted.HiddenSize, served.HiddenSize),
            ("vocabulary", wanted.VocabSize, served.VocabSize),
        ];
        foreach (var (what, expected, found) in sizes.Where(size => size.Wanted != size.Served))
            throw new InvalidDataException($"Flags: model_name is \"{name}\" ({what}: {expected}), but the model served has {found}. Name its shape, or leave model_name out.");
    }
}
