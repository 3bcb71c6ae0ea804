using System.Buffers.Binary;
using System.Text;

namespace ActorLlama.Kernels;

/// <summary>
/// Makes <c>libLibTorchSharp.so</c> load with the libstdc++ of GCC 12 and older (Debian 12, Ubuntu 22.04). The library needs version
/// GLIBCXX_3.4.32 for one symbol only, an empty marker function. The cure points that symbol at an old function without arguments or
/// effect and names the version in which it appeared; nothing else changes, and no size.
/// </summary>
internal static class LibstdcxxCure
{
    public const string Library = "libstdc++.so.6";
    public const string NewVersion = "GLIBCXX_3.4.32", OldVersion = "GLIBCXX_3.4.20";
    public const string Marker = "_ZSt21ios_base_library_initv", StandIn = "_ZSt15get_new_handlerv";

    /// <summary>
    /// A cured copy of the file; an equal copy if it needs no cure. Throws <see cref="InvalidDataException"/> if the file needs the new
    /// version for anything but the marker: then only a newer libstdc++ helps.
    /// </summary>
    public static byte[] Apply(byte[] file)
    {
        var image = new ElfImage(file);
        var cured = file.ToArray();
        foreach (var version in image.VersionsNeededOf(Library).Where(v => v.Name == NewVersion))
        {
            var symbols = image.SymbolsOfVersion(version.Index);
            if (symbols is not [(Marker, _)])
                throw new InvalidDataException($"needs {NewVersion} for {string.Join(", ", symbols.Select(s => $"\"{s.Name}\""))}, not for \"{Marker}\" alone");
            Overwrite(cured, symbols[0].NameOffset, Marker, StandIn);
            Overwrite(cured, version.NameOffset, NewVersion, OldVersion);
            BinaryPrimitives.WriteUInt32LittleEndian(cured.AsSpan(version.EntryOffset), ElfImage.Hash(OldVersion));
        }
        return cured;
    }

    /// <summary>
    /// Sees to it that <paramref name="cured"/> is the cured copy of <paramref name="original"/>. Writes only if it is not yet, to a new
    /// file that is then renamed: safe with several processes at once, and the original (a link into the package cache) is only read.
    /// </summary>
    public static void EnsureCopy(string original, string cured)
    {
        byte[] wanted;
        try
        {
            wanted = Apply(File.ReadAllBytes(original));
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"Native libraries: \"{original}\" is {e.Message}, so it cannot be adapted to this system's {Library}. {Advice}", e);
        }
        if (File.Exists(cured) && File.ReadAllBytes(cured).AsSpan().SequenceEqual(wanted)) return;
        var fresh = $"{cured}.{Environment.ProcessId}-{Guid.NewGuid():N}";
        try
        {
            File.WriteAllBytes(fresh, wanted);
            File.Move(fresh, cured, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(fresh)) File.Delete(fresh);
            throw new InvalidDataException($"Native libraries: \"{cured}\" cannot be written ({e.Message}), and this system's {Library} lacks {NewVersion}. Start once with that folder writable, or: {Advice}", e);
        }
    }

    public static string Advice => "Upgrade the package libstdc++6 to 13.2 or newer (Debian 13, Ubuntu 24.04; \"libstdcxx-ng\" in conda).";

    private static void Overwrite(byte[] bytes, int at, string old, string text)
    {
        var place = bytes.AsSpan(at, old.Length);
        place.Clear();
        Encoding.ASCII.GetBytes(text, place);
    }
}
