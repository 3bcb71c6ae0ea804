namespace ActorLlama.Text;

/// <summary>A part of a message. Parts are encoded one by one: text is never merged across their border.</summary>
public abstract record ContentPart
{
    private ContentPart()
    {
    }

    /// <summary>Plain text; spellings of special tokens in it stay text.</summary>
    public sealed record Text(string Value) : ContentPart;

    /// <summary>An image as a grid of tiles; with more than one, a tile of the whole image follows the grid (spec 4.8).</summary>
    /// <param name="Rows">Tiles from top to bottom, at least 1.</param>
    /// <param name="Columns">Tiles from left to right, at least 1.</param>
    public sealed record Image(int Rows, int Columns) : ContentPart
    {
        /// <summary>All tiles of this image, the whole-image tile included.</summary>
        public int TileCount => Rows * Columns == 1 ? 1 : (Rows * Columns) + 1;
    }
}
