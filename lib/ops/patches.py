"""Square patches cut out of images that stay where they are, and turned about."""

import jax
import jax.numpy as jnp
import numpy as np


def grid_corners(shape: tuple[int, int], size: int, stride: int) -> np.ndarray:
    """Top-left corners, int32 `[k, 2]`, of the `size` x `size` patches on a grid in an image `shape`."""
    rows, columns = (np.arange(0, side - size + 1, stride) for side in shape)
    return (
        np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.int32)
    )


def cut(images: jax.Array, corners: jax.Array, size: int) -> jax.Array:
    """Patches `[b, size, size, C]` of images `[n, H, W, C]`.

    Args:
      corners: int32 `[b, 3]`: image, top, left; a patch that would leave its image is moved inside.
    """

    def one(corner):
        start = (*corner, jnp.zeros_like(corner[0]))
        return jax.lax.dynamic_slice(images, start, (1, size, size, images.shape[3]))[0]

    return jax.vmap(one)(corners)


def dihedral(patch: jax.Array, which: jax.Array) -> jax.Array:
    """A square patch `[h, h, C]` turned and mirrored: `which` in 0..7 counts the square's symmetries."""
    patch = jnp.where(which & 1, patch[::-1], patch)
    patch = jnp.where(which & 2, patch[:, ::-1], patch)
    return jnp.where(which & 4, patch.swapaxes(0, 1), patch)
