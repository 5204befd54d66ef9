"""ITU-R BT.601 colour with studio range, MATLAB's `rgb2ycbcr`: what "the Y channel" means in the papers.

NumPy arrays give NumPy arrays, JAX arrays JAX arrays.
"""

import jax
import numpy as np

_MATRIX = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
_OFFSET = np.array([16.0, 128.0, 128.0])
_INVERSE = np.linalg.inv(_MATRIX)


def rgb_to_ycbcr(rgb: jax.Array) -> jax.Array:
    """RGB `[..., 3]` in [0, 1] -> Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255."""
    return _affine(rgb, _MATRIX / 255, _OFFSET / 255)


def ycbcr_to_rgb(ycbcr: jax.Array) -> jax.Array:
    """The inverse of `rgb_to_ycbcr`, not clipped."""
    return _affine(ycbcr, _INVERSE * 255, -_INVERSE @ _OFFSET)


def luma(rgb: jax.Array) -> jax.Array:
    """Y alone: `[..., 3]` -> `[...]`."""
    return rgb_to_ycbcr(rgb)[..., 0]


def _affine(x: jax.Array, matrix: np.ndarray, offset: np.ndarray) -> jax.Array:
    # Written out: a matmul might run in bfloat16 on an accelerator.
    channels = [
        sum(float(row[c]) * x[..., c] for c in range(3)) + float(constant)
        for row, constant in zip(matrix, offset, strict=True)
    ]
    return x.__array_namespace__().stack(channels, axis=-1)
