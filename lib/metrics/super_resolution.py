"""How super-resolution papers score images: uint8, without their borders, the mean over images."""

import functools
from collections.abc import Callable, Iterable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from lib.metrics.ifc import ifc
from lib.metrics.image_quality import ms_ssim_metrix, psnr, ssim
from lib.ops.crops import shave, to_uint8


class Pair(Protocol):
    """`truth` uint8 and `bicubic` float32 in [0, 1], both `[H, W, C]`; the factor between them."""

    truth: np.ndarray
    bicubic: np.ndarray
    scale: int


Upscale = Callable[[np.ndarray], jax.Array]
"""`upscale(bicubic [H, W, C]) -> [H, W, C]`."""


@functools.partial(jax.jit, static_argnums=2)
def shaved_psnr(output: jax.Array, truth: jax.Array, scale: int) -> jax.Array:
    """PSNR in dB after rounding to uint8 and cutting `scale` pixels from each border.

    Args:
      output: float `[H, W, ...]`, about [0, 1]; truth: uint8, of the same shape.
    """
    return psnr(*_comparable(output, truth, scale))


def quality(output: jax.Array, truth: jax.Array, scale: int) -> dict[str, float]:
    """`psnr` (dB), `ssim`, `ms_ssim` (MeTriX MuX's) and `ifc` (bits a pixel) of one plane `[H, W]`."""
    measures = {name: float(value) for name, value in _in_xla(output, truth, scale).items()}
    return measures | {"ifc": ifc(*_comparable(np.asarray(output), np.asarray(truth), scale))}


@functools.partial(jax.jit, static_argnums=2)
def _in_xla(output, truth, scale):
    image, reference = _comparable(output, truth, scale)
    measures = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim_metrix}
    return {name: measure(image, reference) for name, measure in measures.items()}


def _comparable(output, truth, scale):
    return (shave(x.astype(np.float32), scale) for x in (to_uint8(output), truth))


def mean_psnr(upscale: Upscale, pairs: Iterable[Pair]) -> float:
    """Mean over images of `shaved_psnr` in dB; several channels count together."""
    return float(np.mean([shaved_psnr(upscale(p.bicubic), p.truth, p.scale) for p in pairs]))


def mean_quality(upscale: Upscale, pairs: Iterable[Pair]) -> dict[str, float]:
    """Mean over images, of one plane each, of every measure in `quality`."""
    scores = [
        quality(jnp.asarray(upscale(p.bicubic))[:, :, 0], p.truth[:, :, 0], p.scale) for p in pairs
    ]
    return {name: float(np.mean([f[name] for f in scores])) for name in scores[0]}
