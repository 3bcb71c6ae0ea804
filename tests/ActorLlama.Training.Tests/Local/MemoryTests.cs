using ActorLlama.Model;
using ActorLlama.TestKit;
using TorchSharp;

namespace ActorLlama.Training.Tests;

/// <summary>Counts of the whole process: no other test runs beside.</summary>
[Collection("alone")]
public sealed class MemoryTests
{
    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fifty_steps_leave_no_tensor_behind(bool rematerialises)
    {
        using var fixture = new TrainingFixture("tiny-maverick");
        using var trainer = fixture.Train(TrainingFixture.Options with { Rematerialises = rematerialises, LoadBalanceWeight = 0.01, Devices = 2, ExpertShards = 2 });
        var batch = TrainingBatch.OfTokens(2, 4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        trainer.Step(batch);
        var (tensors, activations) = (torch.Tensor.TotalCount, Activation.Live);

        for (var i = 0; i < 49; i++)
        {
            trainer.Step(batch);
            Assert.Equal((tensors, activations), (torch.Tensor.TotalCount, Activation.Live));
        }
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;
