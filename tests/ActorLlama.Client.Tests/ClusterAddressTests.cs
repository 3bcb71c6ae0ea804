namespace ActorLlama.Client.Tests;

public sealed class ClusterAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:4053")]
    [InlineData("akka.tcp://actorllama@127.0.0.1:4053")]
    public void Both_spellings_are_read(string text) =>
        Assert.Equal("akka.tcp://actorllama@127.0.0.1:4053", ClusterAddress.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("localhost")]
    [InlineData("localhost:no")]
    [InlineData("localhost:0")]
    [InlineData("akka.tcp://other@127.0.0.1:4053")]
    [InlineData("http://127.0.0.1:4053")]
    public void Anything_else_is_refused_with_the_text_and_the_rule(string text)
    {
        var fault = Assert.Throws<InvalidDataException>(() => ClusterAddress.Parse(text));
        Assert.Contains($"\"{text}\"", fault.Message, StringComparison.Ordinal);
        Assert.Contains("HOST:PORT", fault.Message, StringComparison.Ordinal);
    }
}
