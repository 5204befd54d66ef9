"""How every figure is drawn: one look, readable at README size, and small files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

DATA, MODEL, DISCRIMINATOR, GUIDE = "#222222", "#2a9d5c", "#2f6fde", "#999999"
"""Colours by role: data black, the model's distribution green, a discriminator blue (as in Fig. 1)."""

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
    """Writes `figure` as PNG and frees it; pictures one after another, as an animated PNG."""
    if not isinstance(figure, Figure):
        first, *rest = figure
        # The last one stays a while, before it starts again.
        durations = [FRAME_MS] * len(rest) + [10 * FRAME_MS]
        first.save(path, save_all=True, append_images=rest, duration=durations, optimize=True)
        return
    figure.savefig(path, dpi=130, pil_kwargs={"optimize": True})
    plt.close(figure)
