namespace ActorLlama.Cli.Tests;

/// <summary>Mistakes in the arguments of <c>decode</c>: one clear line, a non-zero exit code, nothing attached to.</summary>
public sealed class DecodeUsageTests
{
    [Theory]
    [InlineData("decode prompt=x --temperature 1", "--temperature does not go with key=value flags", "decode_sampling_temperature=…")]
    [InlineData("decode prompt=x --top-p 1", "--top-p", "decode_sampling_nucleus_p=…")]
    [InlineData("decode prompt=x --top-k 1", "--top-k", "decode_sampling_top_k=…")]
    [InlineData("decode prompt=x --max-tokens 5", "--max-tokens", "max_target_length=…")]
    [InlineData("decode max_target_length=9 --prompt x", "--prompt", "prompt=…")]
    [InlineData("decode prompt=x --repetition-penalty 2", "--repetition-penalty", "Leave it out")]
    [InlineData("decode --prompt x --repetition-penalty 0", "--repetition-penalty is 0", "above 0")]
    [InlineData("decode prompt=x --seed 1", "--seed", "Leave it out")]
    [InlineData("decode prompt=x --stop y", "--stop", "Leave it out")]
    [InlineData("decode prompt=x --raw", "--raw", "Leave it out")]
    [InlineData("decode promt=x", "\"promt\"", "Did you mean prompt?")]
    [InlineData("decode prompt=x settings.conf", "\"settings.conf\" is not key=value", "named first")]
    [InlineData("decode load_parameters_path=a --model b", "--model and load_parameters_path", "exclude")]
    [InlineData("decode load_parameters_path=a --cluster b", "--cluster and load_parameters_path", "exclude")]
    [InlineData("decode prompt=x --prompts p --out o", "--prompts and prompt=…", "exclude")]
    [InlineData("decode --prompts p", "--prompts and --out go together")]
    [InlineData("decode --prompt x --out o", "--prompts and --out go together")]
    [InlineData("decode --prompt x --prompts p --out o", "Give one of --prompt, --prompt-tokens and --prompts")]
    [InlineData("decode --prompts p --out o --json", "--json", "Leave it out")]
    [InlineData("decode --prompts p --out o --sessions 0", "--sessions is 0", "at least 1")]
    [InlineData("decode --prompt x --sessions 2", "--sessions goes with --prompts")]
    [InlineData("decode --prompt x --logprobs 2", "--logprobs goes with --json")]
    [InlineData("decode --prompt x --json --logprobs 21", "--logprobs is 21", "from 0 to 20")]
    public async Task Options_and_flags_that_do_not_go_together_are_told_in_one_line(string line, params string[] parts) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.WrongUsage, parts);

    [Theory]
    [InlineData("decode nowhere.conf", "\"nowhere.conf\"", "does not exist")]
    [InlineData("decode --model m --prompts /nowhere/p --out o", "\"/nowhere/p\"", "does not exist")]
    [InlineData("decode decode_sampling_strategy=nucleus", "decode_sampling_nucleus_p is -1")]
    [InlineData("decode load_parameters_path=/nowhere/m", "\"/nowhere/m\"", "does not exist")]
    [InlineData("decode prompt=", "empty")]
    public async Task Files_and_values_that_are_not_there_are_named(string line, params string[] parts) =>
        (await InProcess.RunAsync(line.Split(' '))).AssertFailed(CommandLine.Failed, parts);
}
