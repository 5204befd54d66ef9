"""Images side by side."""

import math

import numpy as np
from matplotlib.axes import Axes


def tile(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Flattened square grey images `[n, d]` in [0, 1] as one picture, row by row, white between."""
    side = math.isqrt(images.shape[1])
    rows = -(-len(images) // columns)
    sheet = np.ones((rows * (side + gap) - gap, columns * (side + gap) - gap))
    for i, image in enumerate(images):
        top, left = (i // columns) * (side + gap), (i % columns) * (side + gap)
        sheet[top : top + side, left : left + side] = image.reshape(side, side)
    return sheet


def show(axes: Axes, picture: np.ndarray, title: str = "") -> None:
    """Draws a grey `[H, W]` or RGB `[H, W, 3]` picture in [0, 1] (RGB may be uint8) without axes."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)
