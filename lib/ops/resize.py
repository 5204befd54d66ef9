"""Resizing: bicubic as MATLAB's `imresize`, which super-resolution is measured with; and linear."""

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


def interpolate(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear interpolation of `[H, W, ...]` at `rows` [h] by `columns` [w], pixel centres at whole numbers.

    Beyond the border its pixels are repeated. -> `[h, w, ...]`, of the image's dtype.
    """
    for axis, points in enumerate((rows, columns)):
        points = np.clip(np.asarray(points, np.float64), 0, image.shape[axis] - 1)
        below = np.minimum(points.astype(int), max(image.shape[axis] - 2, 0))
        share = (points - below).astype(image.dtype)
        share = share.reshape((-1,) + (1,) * (image.ndim - axis - 1))
        above = np.minimum(below + 1, image.shape[axis] - 1)
        near, far = (np.take(image, taps, axis) for taps in (below, above))
        image = near + share * (far - near)
    return image


def resize_linear(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear, not antialiased, corner pixels on corner pixels: SciPy's `ndimage.zoom` of order 1.

    `[H, W, ...]` -> `[h, w, ...]`.
    """
    points = (np.linspace(0, length - 1, n) for n, length in zip(shape, image.shape, strict=False))
    return interpolate(image, *points)


def zoomed(image: np.ndarray, share: float) -> np.ndarray:
    """The middle of `[h, w, ...]` without `share` of its height and width, at the same shape, linear.

    SciPy's `ndimage.affine_transform` with the matrix 1 - share and the offset `h share / 2`.
    """
    return interpolate(
        image, *((1 - share) * np.arange(n) + n * share / 2 for n in image.shape[:2])
    )


def alpha_of(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The alpha channel of `[H, W, 1 to 4]`, uint8 at `shape`; None if there is none, or all is opaque."""
    peak = np.iinfo(pixels.dtype).max
    if pixels.shape[2] in (1, 3) or (pixels[..., -1] == peak).all():
        return None
    alpha = resize(pixels[..., -1] * np.float32(255 / peak), shape)
    return np.clip(alpha + 0.5, 0, 255).astype(np.uint8)
