using System.Runtime.InteropServices;
using ActorLlama.Protocol;

namespace ActorLlama.Client.Tests;

public sealed class LogitsLedgerTests
{
    private static readonly float[] s_row = [1.5f, -2f, float.MinValue, 0f, 1e-30f];

    [Fact]
    public void Parts_in_any_order_and_twice_make_the_row()
    {
        var ledger = new LogitsLedger();
        ledger.Add(Part(3, 2, s_row[2..]));
        Assert.Empty(ledger.Rows());
        ledger.Add(Part(3, 0, s_row[..2]));
        ledger.Add(Part(3, 2, s_row[2..]));
        Assert.Equal(s_row, ledger.Rows()[3]);
    }

    [Fact]
    public void Positions_without_all_their_parts_are_missing()
    {
        var ledger = new LogitsLedger();
        ledger.Add(Part(1, 0, s_row));
        ledger.Add(Part(2, 1, s_row[1..]));
        Assert.Equal([1], ledger.Rows().Keys);
        Assert.Equal(0, ledger.FirstMissing(LogitsWanted.All, [7, 8], 2));
        Assert.Equal(2, ledger.FirstMissing(LogitsWanted.Generated, [7, 8], 2));
        Assert.Null(ledger.FirstMissing(LogitsWanted.Generated, [7, 8], 1));
        Assert.Null(ledger.FirstMissing(LogitsWanted.None, [7, 8], 2));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(4, 2)]
    [InlineData(6, 1)]
    public void A_part_outside_its_row_is_refused(int first, int count)
    {
        var fault = Assert.Throws<InvalidDataException>(() => new LogitsLedger().Add(Part(9, first, new float[count])));
        Assert.Contains("position 9", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_whole_values_are_refused() =>
        Assert.Throws<InvalidDataException>(() => new LogitsLedger().Add(new SessionProtocol.LogitsPart(new SessionId("s"), 1, 0, 0, 5, new byte[6])));

    private static SessionProtocol.LogitsPart Part(int position, int first, float[] values) =>
        new(new SessionId("s"), 1, position, first, s_row.Length, MemoryMarshal.AsBytes<float>(values).ToArray());
}
