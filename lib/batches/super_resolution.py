"""Images as super-resolution papers use them: pairs of a bicubic upscaling and the truth.

The protocol of the authors' released code: uint8 planes (Y of YCbCr), sides cut to multiples of the
scale, antialiased bicubic down and up again in floating point, nothing rounded in between.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lib.base.errors import UserError
from lib.data.catalogue import image_sets
from lib.data.dataset import Images
from lib.data.loading import load
from lib.ops.color import luma, rgb_to_ycbcr
from lib.ops.crops import modcrop, to_uint8
from lib.ops.patches import cut, dihedral, grid_corners
from lib.ops.resize import resize

Planes = Literal["y", "ycbcr", "rgb"]


class Pair(NamedTuple):
    """`truth` uint8 `[H, W, C]`; `bicubic` float32 `[H, W, C]`, about [0, 1]; the factor between them."""

    truth: np.ndarray
    bicubic: np.ndarray
    scale: int


class Patches(NamedTuple):
    """Training patches, on the device, not yet cut out: a pytree, the `data` of `lib.run.loop.train`.

    Attributes:
      bicubic: float32 `[n, H, W, C]`; truth: uint8 `[n, H, W, C]`; smaller images are padded.
      corners: int32 `[patches, 3]`: image, top, left.
    """

    bicubic: jax.Array
    truth: jax.Array
    corners: jax.Array


def load_sets(names: Sequence[str], split: str, data_dir: Path | None = None) -> list[Images]:
    """Sets of images by name, each perhaps with a slice: `("t91", "photographs[:3]")`.

    Raises:
      UserError: a set is named twice, is not one of images, or cannot be had (see `lib.data.load`).
    """
    return [load(name, rows, data_dir=data_dir) for name, rows in image_sets(names, split)]


def planes(image: np.ndarray, which: Planes = "y") -> np.ndarray:
    """uint8 RGB `[H, W, 3]` or grey `[H, W]` -> uint8 `[H, W, C]`; a grey image is its own Y."""
    if image.ndim == 2 and which == "y":
        return image[:, :, None]
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if which == "rgb":
        return image
    scaled = image / np.float32(255)
    return to_uint8(luma(scaled)[:, :, None] if which == "y" else rgb_to_ycbcr(scaled))


def pair(image: np.ndarray, scale: int, which: Planes = "y") -> Pair:
    """What a network of factor `scale` sees of an image, and what it should make of it."""
    truth = modcrop(planes(image, which), scale)
    height, width = truth.shape[:2]
    exact = truth / np.float32(255)
    small = resize(exact, (height // scale, width // scale))
    return Pair(truth, resize(small, (height, width)), scale)


def patches(pairs: Iterable[Pair], *, size: int, stride: int) -> Patches:
    """All patches of `size` x `size` on a grid of step `stride` in each of `pairs`.

    Raises:
      ValueError: no image holds a patch.
    """
    pairs = list(pairs)
    corners = [
        np.insert(grid_corners(p.truth.shape[:2], size, stride), 0, i, axis=1)
        for i, p in enumerate(pairs)
    ]
    corners = np.concatenate(corners)
    if not len(corners):
        raise UserError(f"--patch {size}: no image is as large", 2)
    return Patches(
        jnp.asarray(_stack([p.bicubic for p in pairs])),
        jnp.asarray(_stack([p.truth for p in pairs])),
        jnp.asarray(corners),
    )


def _stack(images: Sequence[np.ndarray]) -> np.ndarray:
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    stack = np.zeros((len(images), height, width, images[0].shape[2]), images[0].dtype)
    for plane, image in zip(stack, images, strict=True):
        plane[: image.shape[0], : image.shape[1]] = image
    return stack


def take(
    data: Patches, indices: jax.Array, size: int, symmetries: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """`(bicubic, truth)`, both float32 `[b, size, size, C]` in [0, 1], of the patches `indices`.

    Args:
      symmetries: int32 `[b]` in 0..7: how each pair is turned and mirrored (see `dihedral`).
    """
    corners = data.corners[indices]
    bicubic = cut(data.bicubic, corners, size)
    truth = cut(data.truth, corners, size).astype(jnp.float32) / 255
    if symmetries is not None:
        bicubic, truth = (
            jax.vmap(dihedral)(bicubic, symmetries),
            jax.vmap(dihedral)(truth, symmetries),
        )
    return bicubic, truth
