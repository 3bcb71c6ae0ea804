using ActorLlama.TestKit;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace ActorLlama.Checkpoints.Tests;

/// <summary>Random damage: a checkpoint opens or is refused in one line, and nothing else happens.</summary>
public sealed class DamagedFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _tiny;

    public DamagedFilesTests()
    {
        _tiny = TinyShapes.WriteSharded(_folder.Path);
        File.WriteAllText(Path.Combine(_tiny, "generation_config.json"), """{"do_sample": true, "temperature": 0.6, "top_p": 0.9}""");
        File.WriteAllText(Path.Combine(_tiny, "tokenizer_config.json"), """{"chat_template": "x"}""");
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Which file, where in its first kilobyte, what byte, and whether to cut it there.</summary>
    private static Arbitrary<(int File, int At, byte Value, bool Cut)> Damages() => (
        from file in Gen.Choose(0, 1000)
        from at in Gen.Choose(0, 1200)
        from value in Gen.OneOf(Gen.Choose(0, 255).Select(v => (byte)v), Gen.Elements("{}[]\",:0123456789-\\eu.".ToCharArray()).Select(c => (byte)c))
        from cut in Gen.Frequency((9, Gen.Constant(false)), (1, Gen.Constant(true)))
        select (file, at, value, cut)).ToArbitrary();

    [Property(MaxTest = 150)]
    public Property A_damaged_checkpoint_opens_or_is_refused_in_one_line() => Prop.ForAll(Damages(), damage =>
    {
        var files = Directory.GetFiles(_tiny).Order(StringComparer.Ordinal).ToArray();
        var path = files[damage.File % files.Length];
        var before = File.ReadAllBytes(path);
        var after = before.ToArray();
        after[damage.At % after.Length] = damage.Value;
        File.WriteAllBytes(path, damage.Cut ? after[..(damage.At % after.Length)] : after);
        try
        {
            CheckpointDirectory.Open(_tiny).Dispose();
        }
        catch (Exception fault) when (fault is InvalidDataException or FileNotFoundException)
        {
            Assert.DoesNotContain('\n', fault.Message);
        }
        finally
        {
            File.WriteAllBytes(path, before);
        }
    });
}
