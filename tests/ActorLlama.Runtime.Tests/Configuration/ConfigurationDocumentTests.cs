using System.Text.RegularExpressions;
using ActorLlama.Runtime.Configuration;
using ActorLlama.TestKit;
using Akka.Configuration.Hocon;

namespace ActorLlama.Runtime.Tests.Configuration;

/// <summary>docs/configuration.md explains what reference.conf has: every key, with its default, and no other.</summary>
public sealed partial class ConfigurationDocumentTests
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(Shared.RepositoryRoot, "docs", "configuration.md"));

    [Fact]
    public void Every_key_has_a_row_with_its_default()
    {
        var rows = Row().Matches(s_document).ToDictionary(m => m.Groups["key"].Value, m => m.Groups["value"].Value.Trim('"'));
        var keys = Leaves(HoconFiles.Reference.GetValue("actorllama"), "").ToDictionary(leaf => leaf.Key, leaf => leaf.Value);
        Assert.True(keys.Count > 50);
        Assert.Empty(keys.Keys.Except(rows.Keys).Select(k => $"docs/configuration.md lacks a row for \"{k}\""));
        Assert.Empty(rows.Keys.Except(keys.Keys).Select(k => $"docs/configuration.md has a row for \"{k}\", which does not exist"));
        Assert.Empty(keys.Where(k => rows[k.Key] != k.Value).Select(k => $"docs/configuration.md says {k.Key} = {rows[k.Key]}; it is {k.Value}"));
        Assert.Empty(rows.Keys.Where(k => !Meaning(k)).Select(k => $"docs/configuration.md does not say what \"{k}\" means"));
    }

    [Fact]
    public void Every_shipped_file_is_named()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Shared.RepositoryRoot, "config"), "*.conf"))
            Assert.Contains($"`{Path.GetFileName(file)}`", s_document.Replace("config/", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private static bool Meaning(string key) => Regex.IsMatch(s_document, $@"^\| `{Regex.Escape(key)}` \|[^|]+\| [A-Z0-9`].{{10,}} \|$", RegexOptions.Multiline);

    private static IEnumerable<(string Key, string Value)> Leaves(HoconValue value, string path) =>
        value.IsObject()
            ? value.GetObject().Items.SelectMany(item => Leaves(item.Value, path.Length == 0 ? item.Key : $"{path}.{item.Key}"))
            : [(path, value.Values.Any(v => v.IsArray()) ? $"[{string.Join(", ", value.GetArray().Select(v => v.GetString()))}]" : value.GetString())];

    [GeneratedRegex(@"^\| `(?<key>[a-z0-9.-]+)` \| `(?<value>[^`]*)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
