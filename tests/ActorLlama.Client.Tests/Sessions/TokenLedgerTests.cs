using ActorLlama.Protocol;

namespace ActorLlama.Client.Tests;

public sealed class TokenLedgerTests
{
    private static readonly SessionId s_session = new("s");

    [Fact]
    public void Tokens_in_order_are_taken_once()
    {
        var (ledger, taken, gap) = TokenLedger.Empty.Take(Tokens(0, 10, 11), room: 100);
        Assert.False(gap);
        Assert.Equal([10, 11], taken.Select(t => t.Id));
        (ledger, taken, gap) = ledger.Take(Tokens(0, 10, 11, 12), room: 100);
        Assert.False(gap);
        Assert.Equal([new GeneratedToken(2, 12, "<12>")], taken.ToArray());
        Assert.Equal([10, 11, 12], ledger.Ids);
        Assert.Equal("<10><11><12>", ledger.Text);
    }

    [Fact]
    public void A_gap_takes_nothing_and_is_told()
    {
        var (ledger, taken, gap) = TokenLedger.Empty.Take(Tokens(1, 11), room: 100);
        Assert.True(gap);
        Assert.Empty(taken);
        Assert.Equal(0, ledger.Next);
    }

    [Fact]
    public void Tokens_of_another_epoch_are_dropped()
    {
        var ledger = TokenLedger.Empty.Reopened();
        Assert.Equal(2, ledger.Epoch);
        var (after, taken, gap) = ledger.Take(Tokens(0, 10), room: 100);
        Assert.Empty(taken);
        Assert.False(gap);
        Assert.Same(ledger, after);
    }

    [Fact]
    public void What_the_reader_has_no_room_for_is_left_to_come_again()
    {
        var (ledger, taken, _) = TokenLedger.Empty.Take(Tokens(0, 10, 11, 12), room: 2);
        Assert.Equal([10, 11], taken.Select(t => t.Id));
        Assert.Equal(2, ledger.Next);
    }

    [Fact]
    public void A_token_that_comes_again_with_another_id_is_a_fault()
    {
        var (ledger, _, _) = TokenLedger.Empty.Take(Tokens(0, 10, 11), room: 100);
        var fault = Assert.Throws<InvalidDataException>(() => ledger.Take(Tokens(1, 99, 12), room: 100));
        Assert.Contains("token 1 came as 99 after it had come as 11", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_loss_duplication_and_order_gives_the_tokens_in_order()
    {
        var random = new Random(7);
        for (var run = 0; run < 200; run++)
        {
            var all = Enumerable.Range(100, 40).ToArray();
            var ledger = TokenLedger.Empty;
            var seen = new List<int>();
            while (ledger.Next < all.Length)
            {
                var first = Math.Max(0, ledger.Next - 5 + random.Next(9));
                if (first >= all.Length) continue;
                var count = 1 + random.Next(Math.Min(6, all.Length - first));
                (ledger, var taken, var gap) = ledger.Take(Tokens(first, all[first..(first + count)]), room: 1 + random.Next(4));
                Assert.Equal(first > ledger.Next, gap);
                seen.AddRange(taken.Select(t => t.Id));
            }

            Assert.Equal(all, seen);
        }
    }

    private static SessionProtocol.Tokens Tokens(int first, params int[] ids) =>
        new(s_session, 1, first, [.. ids], [.. ids.Select(i => $"<{i}>")]);
}
