using System.Collections.Immutable;
using static ActorLlama.Cli.FlagKind;
using static ActorLlama.Cli.FlagUse;

namespace ActorLlama.Cli;

/// <summary>Every flag that is known, in one table: MaxText's names and defaults, and what each means here (spec 7 and 8.1).</summary>
internal static class RunFlagTable
{
    public static ImmutableArray<RunFlag> Flags { get; } =
    [
        new("load_parameters_path", Words, "", Decode | Train, "Checkpoint folder: the model to serve or to start from."),
        new("model_name", Words, "default", Decode | Train, "Shape in config/models that the checkpoint must have; \"default\": any."),
        new("tokenizer_path", Words, "", Decode | Train, "tokenizer.model or tokenizer.json to use instead of the checkpoint's."),
        new("dtype", Words, "bfloat16", Decode | Train, "Type of activations, on nodes that the command starts.") { Values = ["float32", "bfloat16"] },
        new("max_target_length", Whole, "2048", Decode | Train, "Tokens of a sequence: prompt, padded, and answer."),
        new("prompt", Words, "I love to", Decode, "Text to continue."),
        new("max_prefill_predict_length", Whole, "64", Decode, "Tokens to which the prompt is padded; a longer one is an error."),
        new("add_bos", Truth, "true", Decode, "Start the prompt with the begin-of-text token; not with a chat template. Documents of training always have it."),
        new("use_chat_template", Truth, "false", Decode, "Give the prompt as a user's message in the model's chat format."),
        new("decode_sampling_strategy", Words, "greedy", Decode, "How tokens are chosen.") { Values = ["greedy", "weighted", "nucleus", "topk", "composite"] },
        new("decode_sampling_temperature", Number, "1", Decode, "What logits are divided by."),
        new("decode_sampling_nucleus_p", Number, "-1", Decode, "Mass of the nucleus, of probabilities at temperature 1."),
        new("decode_sampling_top_k", Whole, "0", Decode, "Number of likeliest tokens kept."),
        new("autoregressive_decode_assert", Words, "", Decode, "Text that the answer must start with."),
        new("per_device_batch_size", Number, "12", Train, "Sequences per device. Decoding shows one stream whatever it is."),
        new("weight_dtype", Words, "float32", Train, "Type of master weights. Serving reads them as they are stored.") { Values = ["float32", "bfloat16"] },
        new("base_output_directory", Words, "", Train, "Folder of runs."),
        new("run_name", Words, "", Train, "Folder of this run in it."),
        new("load_full_state_path", Words, "", Train, "Checkpoint with optimizer state to start from."),
        new("scan_layers", Truth, "true", Train, "Layout of saved checkpoints. Any layout is read as it is found."),
        new("steps", Whole, "150001", Train, "Updates."),
        new("gradient_accumulation_steps", Whole, "1", Train, "Microbatches per update."),
        new("opt_type", Words, "adamw", Train, "Optimizer.") { Values = ["adamw"] },
        new("adam_b1", Number, "0.9", Train, "Decay of the first moment."),
        new("adam_b2", Number, "0.95", Train, "Decay of the second moment."),
        new("adam_eps", Number, "1e-8", Train, "Added to the root of the second moment."),
        new("adam_eps_root", Number, "0", Train, "Added under the root."),
        new("adam_weight_decay", Number, "0.1", Train, "Weight decay, of every parameter that adamw_mask does not spare."),
        new("adamw_mask", Words, "[]", Train, "Parameters without weight decay: regular expressions over their names, as in [norm,embed]."),
        new("mu_dtype", Words, "", Train, "Type of the first moment; \"\": as the weights.") { Values = ["", "float32", "bfloat16"] },
        new("grad_dtype", Words, "float32", Train, "Type of summed gradients.") { Values = ["float32"] },
        new("gradient_clipping_threshold", Number, "1", Train, "Largest norm of all gradients together; 0: off."),
        new("learning_rate", Number, "3e-5", Train, "Peak of the schedule."),
        new("lr_schedule_type", Words, "cosine", Train, "Shape of the schedule.") { Values = ["cosine", "wsd"] },
        new("warmup_steps_fraction", Number, "0.1", Train, "Part of the schedule that rises."),
        new("learning_rate_final_fraction", Number, "0.1", Train, "Last rate, as a part of the peak."),
        new("learning_rate_schedule_steps", Whole, "-1", Train, "Length of the schedule; -1: steps."),
        new("wsd_decay_steps_fraction", Number, "0.1", Train, "Part of a wsd schedule that falls."),
        new("wsd_decay_style", Words, "linear", Train, "How it falls.") { Values = ["linear"] },
        new("z_loss_multiplier", Number, "0", Train, "Weight of the squared log partition function in the loss."),
        new("load_balance_loss_weight", Number, "0", Train, "Weight of the router's balance in the loss."),
        new("abort_on_nan_loss", Truth, "true", Train, "Stop when the loss is no number."),
        new("abort_on_inf_loss", Truth, "true", Train, "Stop when the loss is infinite."),
        new("sparse_matmul", Truth, "true", Train, "Grouped products over experts, or all experts for all tokens. Serving always groups."),
        new("megablox", Truth, "true", Train, "Grouped by our kernel, or expert by expert."),
        new("capacity_factor", Number, "-1", Train, "Tokens an expert takes, over its even share; -1: all."),
        new("remat_policy", Words, "full", Train, "What is computed again in the backward pass: each layer, or nothing.") { Values = ["full", "none"] },
        new("enable_dropout", Truth, "false", Train, "Dropout."),
        new("dataset_type", Words, "tfds", Train, "Where tokens come from: synthetic, or text in dataset_path."),
        new("dataset_path", Words, "", Train, "Files and folders of text (.txt, .jsonl), with commas between them."),
        new("packing", Truth, "true", Train, "Several documents in one sequence, which do not see each other; otherwise each begins a sequence of its own."),
        new("enable_data_shuffling", Truth, "true", Train, "Sequences in an order of chance, another one in each epoch."),
        new("data_shuffle_seed", Whole, "0", Train, "Seed of the order of data."),
        new("init_weights_seed", Whole, "0", Train, "Seed of fresh weights."),
        new("eval_interval", Whole, "-1", Train, "Updates between evaluations; -1: none."),
        new("eval_steps", Whole, "-1", Train, "Batches of an evaluation; -1: all."),
        new("held_out_fraction", Number, "0.05", Train, "Part of the text, its end, that is kept from training for evaluation. Not a flag of MaxText's."),
        new("enable_checkpointing", Truth, "true", Train, "Save checkpoints."),
        new("async_checkpointing", Truth, "true", Train, "Save them while training goes on."),
        new("checkpoint_period", Whole, "10000", Train, "Updates between checkpoints."),
        new("wait_for_replacement", Truth, "false", Train, "When a node is lost, wait for another instead of going on with those that are left. Not a flag of MaxText's."),
        new("metrics_file", Words, "", Train, "JSON lines of metrics."),
        new("ici_fsdp_parallelism", Whole, "1", Train, "Devices that share the trunk's parameters; -1: all."),
        new("ici_expert_parallelism", Whole, "1", Train, "Devices that share the experts; -1: all."),
        new("ici_data_parallelism", Whole, "1", None, "Devices are shared out by the placement plan."),
        new("ici_tensor_parallelism", Whole, "1", None, "Single matrices are not divided."),
        new("ici_autoregressive_parallelism", Whole, "1", None, "Devices are shared out by the placement plan."),
        new("attention", Words, "autoselected", None, "There is one kind of attention."),
        new("force_unroll", Truth, "false", None, "Checkpoints are converted by \"actorllama convert\"."),
        new("tokenizer_type", Words, "", None, "The tokenizer's file says what it is."),
        new("hf_access_token", Words, "", None, "Nothing is downloaded."),
        new("hardware", Words, "cpu", None, "Devices are named in the nodes' settings."),
        new("skip_jax_distributed_system", Truth, "false", None, "Nodes form a cluster by themselves."),
        new("use_multimodal", Truth, "false", None, "Prompts are text."),
        new("log_period", Whole, "100", None, "Every step is logged."),
    ];

    private static readonly ImmutableDictionary<string, RunFlag> s_byName = Flags.ToImmutableDictionary(flag => flag.Name, StringComparer.Ordinal);

    /// <summary>The flag of that name, or null.</summary>
    public static RunFlag? Find(string name) => s_byName.GetValueOrDefault(name);
}
