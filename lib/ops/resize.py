"""Bicubic resizing as MATLAB's `imresize` does it, which the super-resolution papers are measured with."""

import functools
import math

import jax
import numpy as np


def resize(image: jax.Array, shape: tuple[int, int], *, antialias: bool = True) -> jax.Array:
    """Bicubic resampling of the two leading axes.

    Keys' kernel (1981) with a = -1/2. When shrinking, `antialias` stretches the kernel by the factor
    (MATLAB's default; without it the low-resolution images of the papers cannot be had). Pixel centres
    lie at half-integers, the border is mirrored, and values may overshoot the input's range.

    Args:
      image: float `[H, W, ...]`.
      shape: `(h, w)` of the result (static).

    Returns:
      `[h, w, ...]`, of the image's dtype. A NumPy array stays one: preparing hundreds of images of
      different sizes should not compile anything.
    """
    for axis, size in enumerate(shape):
        if size != image.shape[axis]:
            image = _resize_axis(image, axis, size, antialias)
    return image


def _resize_axis(image: jax.Array, axis: int, size: int, antialias: bool) -> jax.Array:
    taps, weights = contributions(image.shape[axis], size, antialias=antialias)
    xp = image.__array_namespace__()
    rows = xp.moveaxis(image, axis, 0)
    column = (size,) + (1,) * (rows.ndim - 1)
    resized = sum(
        weights[:, k].astype(image.dtype).reshape(column) * rows[taps[:, k]]
        for k in range(taps.shape[1])
    )
    return xp.moveaxis(resized, 0, axis)


@functools.lru_cache(maxsize=256)
def contributions(
    length: int, size: int, *, antialias: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Which inputs make up each output along one axis, and by how much.

    Returns:
      taps: int `[size, k]` into `range(length)`; weights: float64 `[size, k]`, rows sum to 1.
    """
    scale = size / length
    stretch = max(1 / scale, 1.0) if antialias else 1.0
    # Output pixel i covers the input around this point, both counted from the centre of pixel 0.
    centre = (np.arange(size) + 0.5) / scale - 0.5
    k = math.ceil(4 * stretch) + 2
    taps = np.floor(centre - 2 * stretch).astype(int)[:, None] + np.arange(k)
    weights = _keys_cubic((centre[:, None] - taps) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.concatenate([np.arange(length), np.arange(length)[::-1]])[taps % (2 * length)]
    used = np.any(weights != 0, axis=0)
    return mirrored[:, used], weights[:, used]


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
