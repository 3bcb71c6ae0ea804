using System.Text;
using TorchSharp;

namespace ActorLlama.Kernels.Tests;

public sealed class LibstdcxxCureTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("actorllama-cure-").FullName;

    private static byte[] Original() => File.ReadAllBytes(TorchRuntime.FindOriginal()!);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_cured_copy_no_longer_needs_the_new_version_and_has_the_same_size()
    {
        var original = Original();
        var before = new ElfImage(original).VersionsNeededOf(LibstdcxxCure.Library).Single(v => v.Name == LibstdcxxCure.NewVersion);

        var cured = LibstdcxxCure.Apply(original);

        var image = new ElfImage(cured);
        Assert.Equal(original.Length, cured.Length);
        Assert.DoesNotContain(image.VersionsNeededOf(LibstdcxxCure.Library), v => v.Name == LibstdcxxCure.NewVersion);
        Assert.Equal(LibstdcxxCure.StandIn, Assert.Single(image.SymbolsOfVersion(before.Index)).Name);
        var entry = image.VersionsNeededOf(LibstdcxxCure.Library).Single(v => v.Index == before.Index);
        Assert.Equal(LibstdcxxCure.OldVersion, entry.Name);
        Assert.Equal(ElfImage.Hash(LibstdcxxCure.OldVersion), BitConverter.ToUInt32(cured, entry.EntryOffset));
    }

    [Fact]
    public void Only_the_two_names_and_the_hash_change()
    {
        var original = Original();
        var cured = LibstdcxxCure.Apply(original);
        var changed = Enumerable.Range(0, original.Length).Count(i => original[i] != cured[i]);
        Assert.InRange(changed, 1, LibstdcxxCure.Marker.Length + LibstdcxxCure.NewVersion.Length + 4);
    }

    [Fact]
    public void Every_version_hash_in_the_file_is_the_hash_of_its_name()
    {
        var original = Original();
        Assert.All(new ElfImage(original).VersionsNeededOf(LibstdcxxCure.Library), v => Assert.Equal(ElfImage.Hash(v.Name), BitConverter.ToUInt32(original, v.EntryOffset)));
    }

    [Fact]
    public void Curing_a_cured_file_changes_nothing()
    {
        var once = LibstdcxxCure.Apply(Original());
        Assert.Equal(once, LibstdcxxCure.Apply(once));
    }

    [Fact]
    public void A_copy_is_written_once_and_the_original_never()
    {
        var original = Path.Combine(_folder, "original.so");
        var cured = Path.Combine(_folder, "cured.so");
        var bytes = Original();
        File.WriteAllBytes(original, bytes);

        LibstdcxxCure.EnsureCopy(original, cured);
        var stamp = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(cured, stamp);
        LibstdcxxCure.EnsureCopy(original, cured);

        Assert.Equal(stamp, File.GetLastWriteTimeUtc(cured));
        Assert.Equal(bytes, File.ReadAllBytes(original));
        Assert.Equal(["cured.so", "original.so"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_stale_copy_is_replaced()
    {
        var original = Path.Combine(_folder, "original.so");
        var cured = Path.Combine(_folder, "cured.so");
        File.WriteAllBytes(original, Original());
        File.WriteAllText(cured, "of another package version");
        LibstdcxxCure.EnsureCopy(original, cured);
        Assert.Equal(LibstdcxxCure.Apply(File.ReadAllBytes(original)), File.ReadAllBytes(cured));
    }

    [Fact]
    public void A_file_that_is_no_library_is_refused_by_name_with_the_package_to_upgrade()
    {
        var original = Path.Combine(_folder, "libLibTorchSharp.so");
        File.WriteAllText(original, new string('x', 200));
        var e = Assert.Throws<InvalidDataException>(() => LibstdcxxCure.EnsureCopy(original, Path.Combine(_folder, "cured.so")));
        Assert.Contains(original, e.Message);
        Assert.Contains("libstdc++6", e.Message);
    }

    [Fact]
    public void Where_the_copy_cannot_be_written_the_folder_and_the_package_are_named()
    {
        var cured = Path.Combine(_folder, "absent", "cured.so");
        var e = Assert.Throws<InvalidDataException>(() => LibstdcxxCure.EnsureCopy(TorchRuntime.FindOriginal()!, cured));
        Assert.Contains(cured, e.Message);
        Assert.Contains("libstdc++6", e.Message);
    }

    [Fact]
    public void A_library_that_needs_the_new_version_for_another_symbol_is_refused()
    {
        var bytes = Original();
        var at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(LibstdcxxCure.Marker));
        bytes[at + LibstdcxxCure.Marker.Length - 1] = (byte)'x';
        var e = Assert.Throws<InvalidDataException>(() => LibstdcxxCure.Apply(bytes));
        Assert.Contains("_ZSt21ios_base_library_initx", e.Message);
        Assert.Contains(LibstdcxxCure.NewVersion, e.Message);
    }

    [Fact]
    public void A_truncated_library_is_refused()
    {
        Assert.Throws<InvalidDataException>(() => LibstdcxxCure.Apply(Original()[..100_000]));
    }

    [Fact]
    public void Torch_computes_once_loaded()
    {
        TorchRuntime.EnsureLoaded();
        TorchRuntime.EnsureLoaded();
        using var scope = torch.NewDisposeScope();
        var product = torch.ones(2, 3).matmul(torch.full(3, 2, 2f));
        Assert.Equal([6f, 6f, 6f, 6f], product.data<float>().ToArray());
    }
}
