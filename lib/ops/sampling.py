"""Values between pixels, and what is built of them: deformable convolution and RoI pooling.

Equations are those of Dai et al. (2017), Deformable Convolutional Networks, arXiv:1703.06211.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp


def bilinear(x: jax.Array, points: jax.Array) -> jax.Array:
    """Images' values at any points (equation 3); what is outside of an image is zero.

    A point less than one pixel outside still gets a share of the border's pixels, and a gradient; farther
    out both are zero. One that is not a number gets that as its value. No forward mode (`jvp`).

    Args:
      x: `[n, h, w, c]`; whole numbers are read as those of the type of `points`.
      points: `[n, ..., 2]`, rows and columns in pixels, the first pixel's centre at (0, 0).

    Returns:
      `[n, ..., c]`.
    """
    chex.assert_rank(x, 4)
    chex.assert_axis_dimension(points, -1, 2)
    chex.assert_equal_shape_prefix([x, points], 1)
    return _bilinear(x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(points.dtype), points)


@jax.custom_vjp
def _bilinear(x, points):
    return _each(_of_image, x, points)


def _forward(x, points):
    return _bilinear(x, points), (x, points)


def _backward(saved, g):
    return _each(_gradients, *saved, g)


_bilinear.defvjp(_forward, _backward)


def _each(of_one: Callable, *of_all: jax.Array):
    """`of_one` of each image.

    On one CPU image after image, so that what is in between stays in the cache: a third of the time. A loop
    cannot be shared out, so several devices take all images at once, as a GPU does.
    """
    if jax.default_backend() == "cpu" and jax.device_count() == 1:
        return jax.lax.map(lambda images: of_one(*images), of_all)
    return jax.vmap(of_one)(*of_all)


def _of_image(x, points):
    """Equation 3: `x` `[h, w, c]`, `points` `[..., 2]` -> `[..., c]`."""
    pixels, _, fractions = _neighbours(x, points)
    shares = _shares(fractions)
    return sum(share * pixel for share, pixel in zip(shares, pixels, strict=True))


def _gradients(x, points, g):
    """Of an image and of its points (equation 5), from `g` `[..., c]`; nothing was stored for them."""
    h, w, c = x.shape
    pixels, index, fractions = _neighbours(x, points)
    top_left, top_right, bottom_left, bottom_right = pixels
    down, right = fractions[..., :1], fractions[..., 1:]
    slopes = [
        (1 - right) * (bottom_left - top_left) + right * (bottom_right - top_right),
        (1 - down) * (top_right - top_left) + down * (bottom_right - bottom_left),
    ]
    # As a product: XLA:CPU sums over the last axis one number at a time.
    to_points = jnp.einsum("...sc,...c->...s", jnp.stack(slopes, axis=-2), g)
    near = (points > -1) & (points < _sides(x, points))
    to_points = jnp.where(near.all(axis=-1, keepdims=True), to_points, 0).astype(points.dtype)
    summed = [
        jnp.zeros(((h + 1) * (w + 1), c), x.dtype)
        .at[index.reshape(-1)]
        .add((share * g).astype(x.dtype).reshape(-1, c), mode="promise_in_bounds")
        .reshape(h + 1, w + 1, c)
        for share in _shares(fractions)
    ]
    # A pixel was its lower right point's first neighbour, ..., its upper left point's last.
    to_x = summed[0][1:, 1:] + summed[1][1:, :-1] + summed[2][:-1, 1:] + summed[3][:-1, :-1]
    return to_x, to_points


def _sides(x: jax.Array, points: jax.Array) -> jax.Array:
    return jnp.array(x.shape[:2], points.dtype).reshape((1,) * (points.ndim - 1) + (2,))


def _neighbours(x: jax.Array, points: jax.Array) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """The four pixels about each point, each `[..., c]`, the first one's place, and the point's fractions.

    The image has a frame of zeros; each neighbour is the first one in an image that has moved by a pixel.
    """
    h, w, c = x.shape
    sides = _sides(x, points)
    # From one pixel outside on nothing changes; an index that overflows would.
    inside = jnp.clip(points, -1, sides)
    first = jnp.clip(jnp.floor(inside), -1, sides - 1)
    row, column = jnp.moveaxis(jnp.nan_to_num(first).astype(jnp.int32) + 1, -1, 0)
    index = row * (w + 1) + column
    framed = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    moved = [framed[i : i + h + 1, j : j + w + 1].reshape(-1, c) for i in (0, 1) for j in (0, 1)]
    pixels = [image.at[index].get(mode="promise_in_bounds") for image in moved]
    return pixels, index, inside - first


def _shares(fractions: jax.Array) -> list[jax.Array]:
    """g of equation 3: what each of the four pixels about a point counts, `[..., 1]`."""
    down, right = fractions[..., :1], fractions[..., 1:]
    return [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]


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
    n, height, width, _ = x.shape
    # Groups are images of their own.
    grouped = jnp.moveaxis(x.reshape(n, height, width, groups, -1), 3, 1)
    of_groups = jnp.moveaxis(points, 3, 1)
    sampled = bilinear(
        grouped.reshape(n * groups, height, width, -1), of_groups.reshape(-1, *of_groups.shape[2:])
    )
    sampled = jnp.moveaxis(sampled.reshape(*of_groups.shape[:-1], -1), 1, 4)
    if mask is not None:  # sampled: [n, h', w', taps, groups, c / groups]
        factors = mask.reshape(*sampled.shape[:3], groups, kh * kw, 1)
        sampled *= jnp.swapaxes(factors, 3, 4)
    flat = sampled.reshape(*sampled.shape[:3], kh * kw * channels)
    return flat @ kernel.reshape(kh * kw * channels, features)


def affine_points(theta: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Where an affine transform looks (Jaderberg et al. 2015, equation 1): `[n, 2, 3]` -> `[n, h, w, 2]`.

    Args:
      theta: maps (x, y, 1) of the result to (x, y) of the image, both in -1..1 from the middle of the first
        pixel to that of the last.
      shape: of the result, and of the image.

    Returns:
      Rows and columns in pixels.
    """
    chex.assert_shape(theta, (None, 2, 3))
    height, width = shape
    y, x = jnp.meshgrid(jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij")
    points = jnp.einsum("nij,jhw->nhwi", theta, jnp.stack([x, y, jnp.ones_like(x)]))
    return (points[..., ::-1] + 1) / 2 * jnp.array([height - 1, width - 1])[None, None, None]


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
