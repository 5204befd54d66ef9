"""Croppings and rounding of the super-resolution protocol; NumPy in, NumPy out, JAX in, JAX out."""

import jax


def modcrop(image: jax.Array, multiple: int) -> jax.Array:
    """`[H, W, ...]` cut at the bottom and the right so that both sides are multiples of `multiple`."""
    height, width = (side - side % multiple for side in image.shape[:2])
    return image[:height, :width]


def shave(image: jax.Array, border: int) -> jax.Array:
    """`[H, W, ...]` without `border` pixels on each side."""
    height, width = image.shape[:2]
    return image[border : height - border, border : width - border]


def centre_crop(images: jax.Array, size: int) -> jax.Array:
    """The central `size` x `size` of images `[n, H, W, C]`."""
    top, left = (images.shape[1] - size) // 2, (images.shape[2] - size) // 2
    return images[:, top : top + size, left : left + size]


def to_uint8(image: jax.Array) -> jax.Array:
    """[0, 1] -> 0..255, clipped, rounded half up as MATLAB's `uint8` does."""
    xp = image.__array_namespace__()
    return xp.floor(xp.clip(image, 0, 1) * 255 + 0.5).astype(xp.uint8)
