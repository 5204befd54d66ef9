"""Pooling whose gradients are fast on a CPU too, with Caffe's rule for windows that stick out."""

import functools

import chex
import jax
import jax.numpy as jnp


def max_pool(
    x: jax.Array, window: int, stride: int, *, pad: int = 0, ceil: bool = False
) -> jax.Array:
    """The largest value of each window: `[n, h, w, c]` -> `[n, h', w', c]`.

    Args:
      pad: rows and columns added on each side; they never win.
      ceil: windows that stick out at the end are kept, cut (Caffe), instead of left out.

    Where several values of a window are the largest, they share its gradient: lax's own rule gives it to
    the first, and takes 17 times as long on a CPU.
    """
    chex.assert_rank(x, 4)
    return _maps(jnp.maximum, x, -jnp.inf, window, stride, pad, ceil)


def avg_pool(
    x: jax.Array, window: int, stride: int, *, pad: int = 0, ceil: bool = False
) -> jax.Array:
    """The mean of each window, of the pixels that are in the image: `[n, h, w, c]` -> `[n, h', w', c]`."""
    chex.assert_rank(x, 4)
    total = _maps(jnp.add, x, 0, window, stride, pad, ceil)
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / jax.lax.stop_gradient(_maps(jnp.add, ones, 0, window, stride, pad, ceil))


def _maps(combine, x, neutral, window: int, stride: int, pad: int, ceil: bool):
    """`combine` over the windows' pixels: over their rows, then over their columns, a strided slice each.

    All pixels of a window at once, which is nine slices instead of six, took up to 20 times as long with its
    gradient: XLA:CPU computes what each slice is of again for each.
    """
    for axis in (1, 2):
        count, beyond = _windows(x.shape[axis], window, stride, pad, ceil)
        around = [(0, 0, 0)] * 4
        around[axis] = (pad, beyond, 0)
        x = jax.lax.pad(x, jnp.asarray(neutral, x.dtype), around)
        last = (count - 1) * stride + 1
        x = functools.reduce(
            combine,
            [jax.lax.slice_in_dim(x, i, i + last, stride, axis) for i in range(window)],
        )
    return x


def _windows(length: int, window: int, stride: int, pad: int, ceil: bool) -> tuple[int, int]:
    """How many windows there are along an axis, and what must be added at its end for them."""
    room = length + 2 * pad - window
    if room < 0:
        raise ValueError(f"a window of {window} does not fit into {length} pixels")
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= length + pad:  # it would start outside of the image
        count -= 1
    return count, (count - 1) * stride + window - length - pad
