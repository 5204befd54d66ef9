"""How every figure is drawn: one look, readable at README size, and small files."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

DATA, MODEL, DISCRIMINATOR, GUIDE = "#222222", "#2a9d5c", "#2f6fde", "#999999"
"""Colours by role: data black, the model's distribution green, a discriminator blue (as in Fig. 1)."""

PHOTOGRAPHIC = 10_000
"""Different colours from which on a figure shows photographs: a chart's soft edges make a few thousand."""

FRAME_MS = 200
"""How long a picture of an animation stays, in milliseconds."""

_LOOK = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "lines.linewidth": 1.6,
}


def subplots(
    rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.0, **keywords
):
    """`plt.subplots` in the house's look; sizes in inches."""
    with plt.rc_context(_LOOK):
        return plt.subplots(rows, columns, figsize=(width, height), **keywords)


def save(figure: Figure | Sequence[Image.Image], path: Path) -> None:
    """Writes `figure` as PNG and frees it; pictures one after another, as an animated PNG.

    With photographs in it, in 256 colours: a third of the bytes, and at README size the same to the eye.
    """
    if not isinstance(figure, Figure):
        first, *rest = reduced(figure)
        # The last one stays a while, before it starts again.
        durations = [FRAME_MS] * len(rest) + [10 * FRAME_MS]
        first.save(path, save_all=True, append_images=rest, duration=durations, optimize=True)
        return
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130)
    plt.close(figure)
    (picture,) = reduced([Image.open(drawn)])
    picture.save(path, optimize=True)


def reduced(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Pictures of one size, all in the same 256 colours if there are many more in them; else as they are."""
    colors = [picture.convert("RGB") for picture in pictures]
    sheet = Image.new("RGB", (colors[0].width, sum(c.height for c in colors)))
    for i, picture in enumerate(colors):
        sheet.paste(picture, (0, i * picture.height))
    if sheet.getcolors(PHOTOGRAPHIC) is not None:
        return list(pictures)
    palette = Image.new("P", (1, 1))
    # The paper and the letters as they are: the nearest of a photograph's colours would be tinted.
    palette.putpalette([255, 255, 255, 0, 0, 0, *sheet.quantize(254).getpalette()])
    # Dithered, or a sky would be in bands.
    return [c.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for c in colors]
