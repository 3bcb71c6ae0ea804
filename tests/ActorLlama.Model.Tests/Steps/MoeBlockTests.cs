using ActorLlama.Kernels;
using ActorLlama.TestKit;
using static TorchSharp.torch;

namespace ActorLlama.Model.Tests;

/// <summary>The MoE block, forward and backward, against the reference's (fixtures/moe): empty expert and exact ties included.</summary>
public sealed class MoeBlockTests
{
    private const float Tolerance = 1e-4f;

    [SharedTheory]
    [InlineData(MoeStrategy.Dense)]
    [InlineData(MoeStrategy.Grouped)]
    [InlineData(MoeStrategy.Ragged)]
    public void Forward_and_backward_equal_the_reference(MoeStrategy strategy)
    {
        TorchRuntime.EnsureLoaded();
        TorchDevices.LimitThreads(1);
        using var scope = NewDisposeScope();
        var golden = SafetensorsFixture.Open("fixtures", "moe", "block.safetensors");
        using var backend = new TorchBackend(ModelShapes.Read("tiny-scout"), "cpu", ActivationType.Float32, strategy);
        Tensor gateUp = Leaf("w.experts.gate_up_proj"), down = Leaf("w.experts.down_proj"), router = Leaf("w.router.weight");
        Tensor sharedGate = Leaf("w.shared_expert.gate_proj.weight"), sharedUp = Leaf("w.shared_expert.up_proj.weight");
        Tensor sharedDown = Leaf("w.shared_expert.down_proj.weight"), x = Leaf("x");

        using var input = new TorchActivation(x.alias());
        using var routing = backend.Route(input, new TorchWeight(router.alias()), 1);
        using var routed = backend.ExpertFfn(routing.Scaled, routing.Experts, new TorchWeight(gateUp.alias(), down.alias()));
        using var shared = backend.GatedFfn(input, new TorchWeight(sharedGate.alias()), new TorchWeight(sharedUp.alias()), new TorchWeight(sharedDown.alias()));
        using var y = backend.Add(shared, routed);

        Assert.Equal(golden.Ids("expert"), routing.Experts);
        Assert.Equal(golden.Ids("tokens_per_expert"), Enumerable.Range(0, 6).Select(expert => routing.Experts.Count(chosen => chosen == expert)));
        Close.All(golden.Floats("y"), Values(TorchActivation.Of(y)), "y", Tolerance);

        TorchActivation.Of(y).backward([Constant("dy")]);
        Check(x, "dx");
        foreach (var (weight, name) in new[]
        {
            (gateUp, "experts.gate_up_proj"), (down, "experts.down_proj"), (router, "router.weight"),
            (sharedGate, "shared_expert.gate_proj.weight"), (sharedUp, "shared_expert.up_proj.weight"), (sharedDown, "shared_expert.down_proj.weight"),
        }) Check(weight, $"grad.{name}");
        // Expert 4 got no token.
        Assert.Equal(0, gateUp.grad!.select(0, 4).abs().max().item<float>());
        Assert.Equal(0, down.grad!.select(0, 4).abs().max().item<float>());

        // The same without a graph, as training goes back through the experts of another device.
        Tensor gateUpSum = zeros_like(gateUp), downSum = zeros_like(down);
        using var rows = new TorchActivation(TorchActivation.Of(routing.Scaled).detach());
        using var dy = new TorchActivation(Constant("dy"));
        using var back = backend.ExpertFfnBackward(rows, routing.Experts, new TorchWeight(gateUp.detach(), down.detach()), dy, gateUpSum, downSum);
        Close.All(golden.Floats("grad.experts.gate_up_proj"), Values(gateUpSum), "grad.experts.gate_up_proj", Tolerance);
        Close.All(golden.Floats("grad.experts.down_proj"), Values(downSum), "grad.experts.down_proj", Tolerance);
        Assert.Equal(0, gateUpSum.select(0, 4).abs().max().item<float>());
        Assert.Equal(0, downSum.select(0, 4).abs().max().item<float>());
        var again = TorchActivation.Of(routing.Scaled).detach().requires_grad_(true);
        using var input2 = new TorchActivation(again.alias());
        using var routed2 = backend.ExpertFfn(input2, routing.Experts, new TorchWeight(gateUp.detach(), down.detach()));
        TorchActivation.Of(routed2).backward([Constant("dy")]);
        Close.All(Values(again.grad!), Values(TorchActivation.Of(back)), "gradient of the experts' rows", Tolerance);

        void Check(Tensor leaf, string name) => Close.All(golden.Floats(name), Values(leaf.grad!), name, Tolerance);

        Tensor Leaf(string name) => Constant(name).requires_grad_();

        Tensor Constant(string name) => tensor(golden.Floats(name), [.. golden.Shape(name).Select(size => (long)size)]);
    }

    [Theory]
    [InlineData(MoeStrategy.Dense, 2)]
    [InlineData(MoeStrategy.Grouped, 8)]
    [InlineData(MoeStrategy.Ragged, 4)]
    public void Each_strategy_launches_its_own_products(MoeStrategy strategy, int products)
    {
        TorchRuntime.EnsureLoaded();
        TorchDevices.LimitThreads(1);
        using var scope = NewDisposeScope();
        using var backend = new TorchBackend(ModelShapes.Read("tiny-scout"), "cpu", ActivationType.Float32, strategy);
        // Of 1100 rows all but one go to expert 2, which takes three tiles of 512; one to expert 0; none to the others.
        using var weights = new TorchWeight(ones(4, 2, 6) * 0.5f, ones(4, 3, 2) * 0.5f);
        int[] experts = [.. Enumerable.Repeat(2, 1099), 0];
        using var rows = new TorchActivation(arange(0, 2200, ScalarType.Float32).view(1100, 2) / 2200);

        using var y = backend.ExpertFfn(rows, experts, weights);
        Assert.Equal(products, backend.ExpertProducts);

        Tensor gateUpSum = zeros(4, 2, 6), downSum = zeros(4, 3, 2);
        using var back = backend.ExpertFfnBackward(rows, experts, weights, rows, gateUpSum, downSum);
        using var oracle = new TorchBackend(ModelShapes.Read("tiny-scout"), "cpu", ActivationType.Float32, MoeStrategy.Ragged);
        Tensor gateUpOracle = zeros(4, 2, 6), downOracle = zeros(4, 3, 2);
        using var backOracle = oracle.ExpertFfnBackward(rows, experts, weights, rows, gateUpOracle, downOracle);
        Close.All(Values(TorchActivation.Of(backOracle)), Values(TorchActivation.Of(back)), "rows", 1e-5f);
        Close.All(Values(gateUpOracle), Values(gateUpSum), "gate_up", 1e-5f);
        Close.All(Values(downOracle), Values(downSum), "down", 1e-5f);
        foreach (var idle in new[] { 1, 3 }) Assert.Equal(0, gateUpSum.select(0, idle).abs().max().item<float>() + downSum.select(0, idle).abs().max().item<float>());
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Several_experts_a_token_come_ascending_and_sum_like_single_ones(string kind)
    {
        var config = ModelShapes.Read("tiny-maverick") with { ExpertsPerToken = 3 };
        using var weights = new RandomWeights(config, seed: 3);
        using var backend = Backends.Create(kind, config);
        using var trunk = TrunkStage.Load(backend, config, LayerRange.All(config), weights);
        using var experts = ExpertGroup.Load(backend, config, 0, config.Experts, weights);
        using var h = trunk.Embed([5, 17, 300, 5]);
        using var input = trunk.Route(1, h);
        var chosen = input.Routing.Experts.Chunk(3).ToArray();
        Assert.All(chosen, ids => Assert.Equal(ids.Distinct().Order(), ids));
        Assert.Equal(chosen[0], chosen[3]);

        using var routed = experts.Run(1, input.Routing.Scaled, input.Routing.Experts);
        using var shared = trunk.Shared(1, input);
        using var combined = trunk.Combine(h, shared, routed);
        var rows = backend.Values(routed).Chunk(config.HiddenSize).ToArray();
        var (before, with) = (backend.Values(h), backend.Values(shared));
        var expected = new float[before.Length];
        for (var i = 0; i < expected.Length; i++)
        {
            var (row, column) = (i / config.HiddenSize * 3, i % config.HiddenSize);
            expected[i] = before[i] + (with[i] + (rows[row][column] + rows[row + 1][column] + rows[row + 2][column]));
        }
        Assert.Equal(expected, backend.Values(combined));
    }

    [Theory]
    [MemberData(nameof(Backends.All), MemberType = typeof(Backends))]
    public void Equal_router_logits_go_to_the_lowest_expert(string kind)
    {
        var config = ModelShapes.Read("tiny-maverick");
        using var weights = new RandomWeights(config, seed: 4, fill: name => name == ParameterNames.Router(1) ? 0.25f : null);
        using var backend = Backends.Create(kind, config);
        using var trunk = TrunkStage.Load(backend, config, new(1, 1), weights);
        using var h = backend.Read(new byte[4 * 3 * config.HiddenSize], 3, config.HiddenSize);
        using var input = trunk.Route(1, h);
        Assert.Equal([0, 0, 0], input.Routing.Experts);
    }

    private static float[] Values(Tensor tensor)
    {
        using var flat = tensor.detach().contiguous();
        return [.. flat.data<float>()];
    }
}
