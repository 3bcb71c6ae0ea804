using ActorLlama.TestKit;
using FsCheck.Xunit;

namespace ActorLlama.Text.Tests;

/// <summary>A property that needs the golden data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedPropertyAttribute : PropertyAttribute
{
    public SharedPropertyAttribute() => Skip = Shared.SkipReason;
}
