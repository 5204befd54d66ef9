"""How every figure is drawn: one look, readable at README size, and small files."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

DATA, MODEL, DISCRIMINATOR, GUIDE = "#222222", "#2a9d5c", "#2f6fde", "#999999"
"""Colours by role: data black, the model's distribution green, a discriminator blue (as in Fig. 1)."""

MOST_BYTES = 350_000
"""Of a file that many people load with a README."""

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
    """Writes `encoded(figure)`."""
    path.write_bytes(encoded(figure))


def encoded(figure: Figure | Sequence[Image.Image]) -> bytes:
    """`figure` as PNG, and freed; pictures one after another, as an animated PNG.

    In all colours if that takes at most `MOST_BYTES`, as charts do; photographs in 256 of their own.
    """
    pictures = figure
    if isinstance(figure, Figure):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=130)
        plt.close(figure)
        pictures = [Image.open(drawn)]
    png = _png(pictures)
    for dithered in (True, False):
        if len(png) > MOST_BYTES:
            png = min(png, _png(reduced(pictures, dithered)), key=len)
    return png


def _png(pictures: Sequence[Image.Image]) -> bytes:
    first, *rest = pictures
    file, options = io.BytesIO(), {}
    if rest:  # the last one stays a while, before it starts again
        durations = [FRAME_MS] * len(rest) + [10 * FRAME_MS]
        options = {"save_all": True, "append_images": rest, "duration": durations}
    first.save(file, "PNG", optimize=True, **options)
    return file.getvalue()


def reduced(pictures: Sequence[Image.Image], dithered: bool) -> list[Image.Image]:
    """Pictures of one size, in the same 256 colours.

    Dithered, a smooth sky has no bands; what is rough does not need it, and takes twice as many bytes.
    """
    colors = [picture.convert("RGB") for picture in pictures]
    sheet = Image.fromarray(np.concatenate([np.asarray(picture) for picture in colors]))
    palette = Image.new("P", (1, 1))
    # The paper and the letters as they are: the nearest of a photograph's colours would be tinted.
    palette.putpalette([255, 255, 255, 0, 0, 0, *sheet.quantize(254).getpalette()[: 3 * 254]])
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE
    frames = []
    for picture in colors:
        indices = np.array(picture.quantize(palette=palette, dither=dither))
        for index, level in enumerate((255, 0)):
            indices[(np.asarray(picture) == level).all(axis=-1)] = index
        frames.append(Image.fromarray(indices, "P"))
        frames[-1].putpalette(palette.getpalette())
    return frames
