"""Image functions applied window by window, so that memory does not grow with the image."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import numpy as np


class Span(NamedTuple):
    """Along one axis: a window from `start` on, of whose result `[begin, end)` is kept."""

    start: int
    begin: int
    end: int


def spans(length: int, tile: int, halo: int) -> list[Span]:
    """Windows of `tile` pixels over an axis: inside it, and closed at its ends only.

    What is kept covers the axis once and lies `halo` pixels or more from where a window was cut. An
    axis no longer than `tile` is one window.

    Raises:
      ValueError: nothing would be left of a window.
    """
    if not 0 <= 2 * halo < tile:
        raise ValueError(f"a window of {tile} pixels is too small for a halo of {halo}")
    if length <= tile:
        return [Span(0, 0, length)]
    starts = [*range(0, length - tile, tile - 2 * halo), length - tile]
    ends = [*(start + tile - halo for start in starts[:-1]), length]
    return [Span(*span) for span in zip(starts, [0, *ends[:-1]], ends, strict=True)]


def in_tiles(
    function: Callable[[np.ndarray], jax.Array],
    image: np.ndarray,
    *,
    tile: int,
    halo: int,
    scale: int = 1,
) -> np.ndarray:
    """`function(image)`, computed in windows of one shape, without seams.

    Args:
      function: `[h, w, C] -> [h scale, w scale, D]`, the same rule everywhere but at the border, whose
        padding it does itself: a window touches the border only where the image does.
      image: `[H, W, C]`.
      tile: the side of a window, in pixels of `image`; a smaller image goes whole.
      halo: how far `function` looks, in pixels of `image`.

    Returns:
      `[H scale, W scale, D]`, of the function's dtype.

    Raises:
      ValueError: the windows are too small for the halo.
    """
    chex.assert_rank(image, 3)
    height, width = image.shape[:2]
    result = None
    for y in spans(height, tile, halo):
        for x in spans(width, tile, halo):
            window = image[y.start : y.start + tile, x.start : x.start + tile]
            output = np.asarray(function(window))
            if result is None:
                shape = (height * scale, width * scale, output.shape[-1])
                result = np.empty(shape, output.dtype)
            result[_scaled(y, scale, 0), _scaled(x, scale, 0)] = output[
                _scaled(y, scale, y.start), _scaled(x, scale, x.start)
            ]
    return result


def _scaled(span: Span, scale: int, origin: int) -> slice:
    return slice((span.begin - origin) * scale, (span.end - origin) * scale)
