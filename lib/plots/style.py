"""How every figure is drawn: one look, readable at README size, and small files."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

DATA, MODEL, DISCRIMINATOR, GUIDE = "#222222", "#2a9d5c", "#2f6fde", "#999999"
"""Colours by role: data black, the model's distribution green, a discriminator blue (as in Fig. 1)."""

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


def save(figure: Figure, path: Path) -> None:
    """Writes `figure` as PNG and frees it."""
    figure.savefig(path, dpi=130, pil_kwargs={"optimize": True})
    plt.close(figure)
