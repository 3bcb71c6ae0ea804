using ActorLlama.Benchmarks.Fairness;
using ActorLlama.Benchmarks.Idle;
using ActorLlama.Benchmarks.Loading;
using ActorLlama.Benchmarks.Losses;
using ActorLlama.Benchmarks.Memory;
using ActorLlama.Benchmarks.Micro;
using ActorLlama.Benchmarks.Micro.Lanes;
using ActorLlama.Benchmarks.Overhead;
using ActorLlama.Benchmarks.Peers;
using ActorLlama.Benchmarks.Tokens;
using ActorLlama.Benchmarks.Training;
using Spectre.Console.Cli;

var app = new CommandApp();
app.Configure(config =>
{
    config.SetApplicationName("bench");
    config.AddCommand<CompareCommand>("compare").WithDescription("This program and LLamaSharp on the same weights: prefill and decoding, beside what the machine allows.");
    config.AddCommand<RatesCommand>("rates").WithDescription("This program alone with any settings, GPUs for instance: prefill and decoding.");
    config.AddCommand<LossCommand>("loss").WithDescription("The loss on a text with weights in 8 bits, beside that of the weights as they are stored.");
    config.AddCommand<MicroCommand>("micro").WithDescription("One hop of the lane, one expert call: each beside its floor.");
    config.AddCommand<EchoCommand>("echo").IsHidden();
    config.AddCommand<TokenCommand>("token").WithDescription("A decoded token's time, split into compute and waiting, for 1 and 3 processes.");
    config.AddCommand<OverheadCommand>("overhead").WithDescription("A token through actors on one device beside the bare forward pass, after contexts of several lengths.");
    config.AddCommand<IdleCommand>("idle").WithDescription("What nodes that serve nobody use of a core.");
    config.AddCommand<LoadingCommand>("loading").WithDescription("A whole model into one CPU device, from each of the folders: time, and memory of its own.");
    config.AddCommand<FairnessCommand>("fairness").WithDescription("A long prompt among streaming sessions: by how much it delays their tokens, beside the time of a chunk.");
    config.AddCommand<MemoryCommand>("memory").WithDescription("Thousands of steps with sessions coming and going: what the nodes hold at rest, with a plot.");
    config.AddCommand<TrainingCommand>("training").WithDescription("Training steps of a fresh model on one device: tokens a second, and what the time is spent on.");
});
return await app.RunAsync(args);
