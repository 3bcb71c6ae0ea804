using ActorLlama.Client;

namespace ActorLlama.Cli.Tests;

/// <summary>Three node processes that serve the sample model, started once for all tests of this collection.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    public const string Name = "cluster";
}

/// <summary>See <see cref="ClusterCollection"/>.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private Attachment? _attachment;

    internal string Address => _attachment!.Connection.Address;

    internal ClusterConnection Connection => _attachment!.Connection;

    public async Task InitializeAsync() =>
        _attachment = await Attachment.ToOwnAsync(new LocalClusterOptions(3, ProgramRun.SampleModel), CancellationToken.None);

    public async Task DisposeAsync()
    {
        if (_attachment is not null) await _attachment.DisposeAsync();
    }
}
