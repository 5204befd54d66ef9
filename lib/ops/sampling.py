"""Values between pixels, and what is built of them: deformable convolution and RoI pooling.

Equations are those of Dai et al. (2017), Deformable Convolutional Networks, arXiv:1703.06211.
"""

import chex
import jax
import jax.numpy as jnp


def bilinear(x: jax.Array, points: jax.Array) -> jax.Array:
    """An image's values at any points (equation 3); what is outside of it is zero.

    A point less than one pixel outside still gets a share of the border's pixels, and a gradient. One that
    is not a number gets that as its value.

    Args:
      x: `[h, w, c]`.
      points: `[..., 2]`, rows and columns in pixels, the first pixel's centre at (0, 0).

    Returns:
      `[..., c]`.
    """
    chex.assert_rank(x, 3)
    chex.assert_axis_dimension(points, -1, 2)
    height, width = x.shape[:2]
    pixels = x.reshape(height * width, -1)
    # From two pixels outside on nothing changes; an index that overflows would.
    row = jnp.clip(points[..., 0], -2, height + 1)
    column = jnp.clip(points[..., 1], -2, width + 1)
    top, left = jnp.floor(row), jnp.floor(column)
    value = 0
    for r in (top, top + 1):
        for c in (left, left + 1):
            share = (1 - jnp.abs(row - r)) * (1 - jnp.abs(column - c))
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width) | jnp.isnan(share)
            index = jnp.clip(r, 0, height - 1) * width + jnp.clip(c, 0, width - 1)
            taken = jnp.take(pixels, jnp.nan_to_num(index).astype(jnp.int32), axis=0)
            value += jnp.where(inside, share, 0)[..., None] * taken
    return value


def taps(kernel_size: tuple[int, int], dilation: int = 1) -> jax.Array:
    """Where a kernel looks, seen from its first tap: `[kh * kw, 2]`, row by row."""
    rows, columns = (jnp.arange(side) * dilation for side in kernel_size)
    grid = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2).astype(jnp.float32)


def sampling_points(
    offsets: jax.Array,
    kernel_size: tuple[int, int],
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] = (0, 0),
) -> jax.Array:
    """Where a deformable convolution looks (equation 2): `[..., h', w', groups, kh * kw, 2]`, in pixels.

    Args:
      offsets: `[..., h', w', groups * kh * kw * 2]`: of a group, of a tap (row by row), down and right.
      padding: zeros before the first row and before the first column.
    """
    *_, height, width, channels = offsets.shape
    count = kernel_size[0] * kernel_size[1]
    if channels % (2 * count):
        raise ValueError(f"{channels} offsets are no multiple of 2 x {count} taps")
    rows = jnp.arange(height) * stride - padding[0]
    columns = jnp.arange(width) * stride - padding[1]
    corner = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
    regular = corner[:, :, None, None] + taps(kernel_size, dilation)[None, None, None]
    own = offsets.reshape(*offsets.shape[:-1], -1, count, 2)
    return own + jnp.expand_dims(regular, tuple(range(own.ndim - regular.ndim))).astype(own.dtype)


def deformable_conv(
    x: jax.Array,
    offsets: jax.Array,
    kernel: jax.Array,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] = (0, 0),
    mask: jax.Array | None = None,
) -> jax.Array:
    """A convolution whose taps have moved (equation 2); with `mask`, modulated (Zhu et al. 2019).

    The channels of `x` are split into as many groups as there are offsets for.

    Args:
      x: `[n, h, w, c]`.
      offsets: `[n, h', w', groups * kh * kw * 2]`, see `sampling_points`; they set the output's size.
      kernel: `[kh, kw, c, d]`.
      padding: zeros before the first row and the first column; those after follow from `offsets`.
      mask: `[n, h', w', groups * kh * kw]`, a factor for each tap.

    Returns:
      `[n, h', w', d]`.

    Raises:
      ValueError: offsets or channels do not come in whole groups.
    """
    chex.assert_rank([x, offsets, kernel], 4)
    chex.assert_equal_shape_prefix([x, offsets], 1)
    kh, kw, channels, features = kernel.shape
    chex.assert_axis_dimension(x, 3, channels)
    points = sampling_points(offsets, (kh, kw), stride=stride, dilation=dilation, padding=padding)
    groups = points.shape[3]
    if channels % groups:
        raise ValueError(f"{channels} channels cannot be split into {groups} groups")
    grouped = x.reshape(*x.shape[:3], groups, -1)
    of_group = jax.vmap(bilinear, in_axes=(2, 2), out_axes=2)  # [h', w', groups, taps, c / groups]
    sampled = jax.vmap(of_group)(grouped, points)
    if mask is not None:
        sampled *= mask.reshape(*sampled.shape[:-1], 1)
    sampled = jnp.swapaxes(sampled, 3, 4)  # [n, h', w', taps, groups, c / groups]
    flat = sampled.reshape(*sampled.shape[:3], kh * kw * channels)
    return flat @ kernel.reshape(kh * kw * channels, features)


def effective_dilation(points: jax.Array, kernel_size: tuple[int, int]) -> jax.Array:
    """Mean distance of neighbouring taps (Table 2): `points` `[..., kh * kw, 2]` -> `[...]`."""
    grid = points.reshape(*points.shape[:-2], *kernel_size, 2)
    down, right = jnp.diff(grid, axis=-3), jnp.diff(grid, axis=-2)
    distances = [jnp.linalg.norm(pairs, axis=-1) for pairs in (down, right)]
    flat = [d.reshape(*d.shape[:-2], -1) for d in distances]
    return jnp.concatenate(flat, axis=-1).mean(axis=-1)


def roi_pool(
    x: jax.Array,
    rois: jax.Array,
    bins: int,
    offsets: jax.Array | None = None,
    *,
    gamma: float = 0.1,
) -> jax.Array:
    """Average RoI pooling (equation 6); with `offsets`, deformable (equation 7).

    Pixels outside of the image count as zeros; a RoI without a pixel pools to zero.

    Args:
      x: `[h, w, c]`.
      rois: `[r, 4]`: top, left (whole numbers), height, width, in pixels.
      offsets: `[r, bins, bins, 2]`, down and right, in shares of the RoI's height and width over `gamma`.

    Returns:
      `[r, bins, bins, c]`.
    """
    rows, columns = _bin_weights(x.shape, rois, bins, offsets, gamma)
    return jnp.einsum("rijh,rijw,hwc->rijc", rows, columns, x)


def position_sensitive_roi_pool(
    x: jax.Array,
    rois: jax.Array,
    bins: int,
    offsets: jax.Array | None = None,
    *,
    gamma: float = 0.1,
) -> jax.Array:
    """... where each bin has score maps of its own (R-FCN; equation 7 on x_ij).

    Args:
      x: `[h, w, bins, bins, c]`.
      rois, offsets: as of `roi_pool`.

    Returns:
      `[r, bins, bins, c]`.
    """
    chex.assert_shape(x, (None, None, bins, bins, None))
    rows, columns = _bin_weights(x.shape, rois, bins, offsets, gamma)
    return jnp.einsum("rijh,rijw,hwijc->rijc", rows, columns, x)


def _bin_weights(shape, rois, bins, offsets, gamma) -> tuple[jax.Array, jax.Array]:
    """`[r, bins, bins, h]` and `[r, bins, bins, w]`, whose products are each pixel's share of each bin.

    A bin's pixels follow one another: moved by a fraction, their hats g of equation 3 add up to a trapezium.
    """
    chex.assert_shape(rois, (None, 4))
    weights = []
    for axis in range(2):
        start, size = rois[:, axis, None, None], rois[:, 2 + axis, None, None]
        number = jnp.arange(bins).reshape((1, bins, 1) if axis == 0 else (1, 1, bins))
        first, end = jnp.floor(number * size / bins), jnp.ceil((number + 1) * size / bins)
        moved = 0.0 if offsets is None else gamma * offsets[..., axis] * size
        place = jnp.broadcast_to(start + moved, (len(rois), bins, bins))[..., None]
        u = jnp.arange(shape[axis]).reshape(1, 1, 1, -1) - place
        first, end = first[..., None], end[..., None]
        trapezium = jnp.clip(jnp.minimum(u - first + 1, end - u), 0, 1)
        weights.append(trapezium / jnp.maximum(end - first, 1))
    return weights[0], weights[1]
