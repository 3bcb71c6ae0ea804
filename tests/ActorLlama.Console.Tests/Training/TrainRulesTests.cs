namespace ActorLlama.Cli.Tests;

public sealed class TrainRulesTests
{
    /// <summary>MaxText's documented pre-training command, on a small model.</summary>
    internal const string Documented = "base_output_directory=out run_name=matmul_pre_training per_device_batch_size=1 enable_checkpointing=false model_name=tiny-maverick ici_fsdp_parallelism=-1 steps=5 "
        + "max_target_length=1024 async_checkpointing=false dtype=bfloat16 weight_dtype=bfloat16 sparse_matmul=False megablox=False dataset_type=synthetic";

    [Fact]
    public void The_documented_command_is_right_and_every_flag_of_it_has_an_effect()
    {
        var flags = RunFlags.Parse(Documented.Split(' '));
        TrainRules.Check(flags);
        Assert.Empty(flags.WithoutEffect(FlagUse.Train));
        Assert.Equal((5, false), (TrainRules.CadenceOf(flags).Steps, TrainRules.CadenceOf(flags).SavesCheckpoints));
        Assert.Equal(Path.Combine("out", "matmul_pre_training"), TrainRules.FolderOf(flags)!.Path);
    }

    [Fact]
    public void The_shipped_file_of_flags_is_right()
    {
        var path = ProgramFiles.Config("train.conf");
        var flags = RunFlags.Parse(["base_output_directory=runs", "dataset_path=text", "tokenizer_path=tokenizer.model"]).Over(FlagFile.Read(path), path);
        TrainRules.Check(flags);
        Assert.Empty(flags.WithoutEffect(FlagUse.Train));
    }

    [Theory]
    [InlineData("steps=0", "steps is 0; it is at least 1")]
    [InlineData("per_device_batch_size=0", "per_device_batch_size is 0; it is above 0")]
    [InlineData("capacity_factor=1.25", "capacity_factor is 1.25; Llama 4 drops no token, so it is -1")]
    [InlineData("enable_dropout=true", "Llama 4 has no dropout")]
    [InlineData("scan_layers=false", "runs save the scanned layout")]
    [InlineData("load_parameters_path=a load_full_state_path=b", "exclude each other")]
    [InlineData("base_output_directory= enable_checkpointing=true", "base_output_directory is empty")]
    [InlineData("run_name=", "run_name is empty")]
    [InlineData("run_name=a/b", "run_name is a/b; it is the name of a folder")]
    [InlineData("model_name=default", "model_name is not given. Shapes are \"bard\"")]
    [InlineData("eval_interval=2", "eval_interval is 2; synthetic data has nothing held out")]
    [InlineData("eval_interval=2 dataset_type=text held_out_fraction=0", "held_out_fraction is 0; with eval_interval some text is held out")]
    [InlineData("held_out_fraction=1", "held_out_fraction is 1; it is at least 0 and below 1")]
    [InlineData("warmup_steps_fraction=1.5", "it is from 0 to 1")]
    [InlineData("mu_dtype=float32", "mu_dtype is float32; moments are kept as weights are, weight_dtype=bfloat16")]
    [InlineData("adam_b2=1", "it is at least 0 and below 1")]
    public void What_cannot_be_is_told_with_name_value_and_rule(string changes, string fault)
    {
        var changed = changes.Split(' ');
        var kept = Documented.Split(' ').Where(pair => !changed.Any(change => change.StartsWith(pair[..(pair.IndexOf('=') + 1)], StringComparison.Ordinal)));
        Assert.Contains(fault, Assert.Throws<InvalidDataException>(() => TrainRules.Check(RunFlags.Parse([.. kept, .. changed]))).Message, StringComparison.Ordinal);
    }
}
