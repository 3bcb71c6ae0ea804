using System.IO.MemoryMappedFiles;

namespace ActorLlama.Kernels.Tests;

public sealed unsafe class MappedPagesTests : IDisposable
{
    private const int Bytes = 1 << 20;
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Pages_that_cannot_be_read_are_an_error_before_they_are_touched()
    {
        File.WriteAllBytes(_path, new byte[Bytes]);
        using var team = new ThreadTeam(1);
        using var file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using var map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        using var view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* first = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref first);
        try
        {
            MappedPages.BringIn((nint)first + 3, Bytes - 3);
            Assert.Equal(-1, NaNSearch.First((nint)first, isBf16: true, Bytes / 2, team));
            file.SetLength(Bytes / 2);
            MappedPages.BringIn((nint)first, Bytes / 2);
            Assert.Throws<IOException>(() => MappedPages.BringIn((nint)first + Bytes / 2 - 1, 2));
            Assert.Throws<IOException>(() => NaNSearch.First((nint)first, isBf16: true, Bytes / 2, team));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }
}
