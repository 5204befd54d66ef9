"""Convolutions whose training steps are fast inside a compiled loop, also on a CPU."""

import functools
from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

Pads = tuple[tuple[int, int], tuple[int, int]]
"""Zeros before and after the rows, and before and after the columns; negative ones crop."""

NHWC = jax.lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))

OLD = jax.__version_info__ < (0, 12)
"""Then XLA:CPU is half as fast on images of less than `WIDE` columns, and 4 times slower without padding."""
WIDE = 64


class Conv(nn.Module):
    """A 2-D convolution: `[n, h, w, c]` -> `[n, h', w', features]`.

    The parameters are those of `nn.Conv`: `kernel` `[kh, kw, c, features]`, `bias` `[features]`.
    `padding` is "VALID", "SAME" (zeros) or "EDGE" (the border's pixels repeated). With a stride, "SAME" is as
    many zeros before as after, as kernels with a middle need, whatever the size of the image.

    Attributes:
      dilation: pixels from one tap to the next; above 1 ("atrous") the stride is 1.
    """

    features: int
    kernel_size: tuple[int, int]
    padding: str = "SAME"
    stride: int = 1
    dilation: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()
    bias_init: Callable[..., jax.Array] = nn.initializers.zeros_init()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 4)
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        padding = self.padding
        if padding not in ("VALID", "SAME", "EDGE"):
            raise ValueError(f'padding is "VALID", "SAME" or "EDGE", not {padding!r}')
        if self.stride > 1 and self.dilation > 1:
            raise ValueError(
                f"a stride of {self.stride} and a dilation of {self.dilation}: one of them is 1"
            )
        sides = [self.dilation * (k - 1) for k in self.kernel_size]
        around = ((0, 0), *((side // 2, side - side // 2) for side in sides), (0, 0))
        if padding == "EDGE":
            x, padding = jnp.pad(x, around, mode="edge"), "VALID"
        elif padding == "SAME" and (self.stride > 1 or self.dilation > 1):
            x, padding = jnp.pad(x, around), "VALID"
        if self.stride > 1:
            y = conv_strided(x, kernel, self.stride)
        elif self.dilation > 1:
            y = conv_dilated(x, kernel, self.dilation)
        else:
            y = conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=NHWC)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: tuple[int, ...],
    padding: str | tuple[tuple[int, int], ...],
    lhs_dilation: tuple[int, ...] | None = None,
    rhs_dilation: tuple[int, ...] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """`jax.lax.conv_general_dilated`, for `nn.Conv(conv_general_dilated=...)`.

    On a CPU a plain 2-D convolution (NHWC, stride 1, one group, no dilation) goes through `conv`;
    everything else, and everything on an accelerator, is lax's own. The default backend decides,
    while tracing: `lax.platform_dependent` would trace and differentiate both.
    """
    plain = (
        jax.default_backend() == "cpu"
        and lhs.ndim == 4
        and jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers) == NHWC
        and all(s == 1 for f in (window_strides, lhs_dilation, rhs_dilation) for s in f or ())
        and feature_group_count == batch_group_count == 1
        and preferred_element_type is None
    )
    if plain:
        if isinstance(padding, str):
            padding = jax.lax.padtype_to_pads(lhs.shape[1:3], rhs.shape[:2], (1, 1), padding)
        return conv(lhs, rhs, tuple((int(a), int(b)) for a, b in padding))
    return jax.lax.conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_strided(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """`x` `[n, h, w, c]` with `kernel` `[kh, kw, c, d]`, no padding, every `stride` pixels.

    On a CPU blocks of stride x stride pixels become channels: what is left is a convolution of stride 1,
    whose gradients `conv` has. Kernels whose sides are no multiples of the stride get zeros at their end.
    """
    if jax.default_backend() != "cpu":
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "VALID", dimension_numbers=NHWC
        )
    n, h, w, c = x.shape
    kh, kw, _, d = kernel.shape
    blocks_h, blocks_w = -(-kh // stride), -(-kw // stride)
    rows, columns = (h - kh) // stride + blocks_h, (w - kw) // stride + blocks_w
    # A pixel beyond the image meets a zero of the kernel; one that no window reaches is cut off.
    ends = (rows * stride - h, columns * stride - w)
    x = jax.lax.pad(
        x, jnp.zeros((), x.dtype), [(0, 0, 0), *((0, end, 0) for end in ends), (0, 0, 0)]
    )
    x = x.reshape(n, rows, stride, columns, stride, c)
    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, rows, columns, -1)
    around = [(0, blocks_h * stride - kh), (0, blocks_w * stride - kw), (0, 0), (0, 0)]
    kernel = jnp.pad(kernel, around).reshape(blocks_h, stride, blocks_w, stride, c, d)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(blocks_h, blocks_w, -1, d)
    return conv(x, kernel, ((0, 0), (0, 0)))


def conv_dilated(x: jax.Array, kernel: jax.Array, dilation: int) -> jax.Array:
    """`x` `[n, h, w, c]` with `kernel` `[kh, kw, c, d]` whose taps are `dilation` pixels apart; no padding.

    On a CPU the taps' pixels become channels, and what is left is one product, with its gradients.
    """
    if jax.default_backend() != "cpu":
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", rhs_dilation=(dilation,) * 2, dimension_numbers=NHWC
        )
    kh, kw, c, d = kernel.shape
    taps = windows(x, (kh, kw), dilation)
    return taps.reshape(*taps.shape[:3], kh * kw * c) @ kernel.reshape(kh * kw * c, d)


def windows(x: jax.Array, kernel_size: tuple[int, int], dilation: int = 1) -> jax.Array:
    """What each tap of a kernel sees, without padding: `[n, h, w, c]` -> `[n, h', w', kh * kw, c]`."""
    kh, kw = kernel_size
    h, w = x.shape[1] - dilation * (kh - 1), x.shape[2] - dilation * (kw - 1)
    if h < 1 or w < 1:
        raise ValueError(
            f"{kh} x {kw} taps {dilation} pixels apart do not fit into {x.shape[1:3]} pixels"
        )
    starts = [(dilation * i, dilation * j) for i in range(kh) for j in range(kw)]
    return jnp.stack([x[:, i : i + h, j : j + w] for i, j in starts], axis=3)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: jax.Array, kernel: jax.Array, pads: Pads) -> jax.Array:
    """`x` `[n, h, w, c]` with `kernel` `[kh, kw, c, d]`, stride 1 -> `[n, h', w', d]`.

    Both gradients are forward convolutions themselves. XLA:CPU runs lax's own, which flip and
    dilate, 14 times slower inside a `scan` than outside; a forward convolution is fast in both.
    Gradients of gradients work in reverse mode; forward mode (`jvp`, `jax.hessian`) raises.
    """
    kh, kw, _, d = kernel.shape
    if d == 1 and kh * kw <= 25:
        return _to_one_channel(x, kernel, pads)
    if _few_positions(x, kernel):
        return _by_products(x, kernel, pads)
    columns = x.shape[2] + sum(pads[1]) - kw + 1
    if x.shape[3] > 1 and OLD and len(x) > 1 and max(12, 4 * (kw - 1)) <= columns < WIDE:
        return _side_by_side(x, kernel, pads)
    if x.shape[3] > 1 and (OLD or columns >= WIDE) and not any(map(any, pads)):
        # A row more, and less, is cheap; a wide image gains 6 % by it with 0.12, too.
        return _lax_conv(x, kernel, ((0, 1), (0, 0)))[:, :-1]
    return _lax_conv(x, kernel, pads)


def _forward(x, kernel, pads):
    return conv(x, kernel, pads), (x, kernel)


def _backward(pads, saved, g):
    x, kernel = saved
    (_, h, w, c), d = x.shape, kernel.shape[3]
    # Each input pixel gets what its outputs sent, through the kernel flipped, channels swapped.
    full = tuple((k - 1 - a, k - 1 - b) for k, (a, b) in zip(kernel.shape[:2], pads, strict=True))
    if _few_positions(g, kernel):
        to_x = _by_products(g, kernel, full, turned=True)
    else:
        to_x = conv(g, jnp.flip(kernel, (0, 1)).swapaxes(2, 3), full)
    # Each weight gets its input correlated with its output: the examples are what is summed over.
    if d <= 4 and d < c and h <= g.shape[1] and w <= g.shape[2]:
        # So few output channels are little to vectorise over: 5 to 8 times slower than correlating
        # the other way round, which has `c` of them and finds the kernel flipped.
        to_kernel = conv(g.transpose(3, 1, 2, 0), x.transpose(1, 2, 0, 3), full)
        return to_x, jnp.flip(to_kernel, (1, 2)).transpose(1, 2, 3, 0)
    to_kernel = conv(x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), pads)
    return to_x, to_kernel.transpose(1, 2, 0, 3)


conv.defvjp(_forward, _backward)


def _lax_conv(x, kernel, pads):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=NHWC)


def _side_by_side(x, kernel, pads):
    """As one image of all columns. What a kernel sees of two images is computed and left out."""
    n, (kh, kw, _, d) = len(x), kernel.shape
    x = jax.lax.pad(
        x, jnp.zeros((), x.dtype), [(0, 0, 0), *((a, b, 0) for a, b in pads), (0, 0, 0)]
    )
    (_, h, w, c) = x.shape
    wide = x.transpose(1, 0, 2, 3).reshape(1, h, n * w, c)
    y = _lax_conv(wide, kernel, ((0, 1), (0, kw - 1)))[0, :-1]
    return y.reshape(h - kh + 1, n, w, d)[:, :, : w - kw + 1].swapaxes(0, 1)


def _few_positions(x: jax.Array, kernel: jax.Array) -> bool:
    """Whether reading the kernel is much of the work."""
    return min(kernel.shape[2:]) >= 128 and x.shape[0] * x.shape[1] * x.shape[2] <= 1024


def _by_products(x: jax.Array, kernel: jax.Array, pads: Pads, *, turned: bool = False) -> jax.Array:
    """A sum of matrix products, one a tap; `turned`: the kernel flipped, its channels swapped.

    The kernel is read where it lies, while a convolution copies it into another order and its gradient
    flips it as well: with those VGG-19 takes 3 times as long on 64 x 43 pixels.
    """
    kh, kw = kernel.shape[:2]
    x = jax.lax.pad(
        x, jnp.zeros((), x.dtype), [(0, 0, 0), *((a, b, 0) for a, b in pads), (0, 0, 0)]
    )
    h, w = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    tap, channel = (kernel[::-1, ::-1], 1) if turned else (kernel, 0)
    products = [
        jax.lax.dot_general(
            x[:, i : i + h, j : j + w],
            tap[i, j],
            (((3,), (channel,)), ((), ())),
            preferred_element_type=jnp.promote_types(x.dtype, jnp.float32),
        )
        for i in range(kh)
        for j in range(kw)
    ]
    return sum(products[1:], products[0]).astype(x.dtype)


def _to_one_channel(x, kernel, pads):
    """A convolution to one channel: a matrix product to one map a tap, then the shifted maps' sum.

    1.7 to 3 times faster than the convolution, which would vectorise over output channels.
    """
    kh, kw, c, _ = kernel.shape
    maps = jnp.einsum(
        "tc,nhwc->tnhw",
        kernel.reshape(kh * kw, c),
        x,
        preferred_element_type=jnp.promote_types(x.dtype, jnp.float32),
    )
    around = [(0, 0, 0), (0, 0, 0), *((a, b, 0) for a, b in pads)]
    maps = jax.lax.pad(maps, jnp.zeros((), maps.dtype), around)
    h, w = maps.shape[2] - kh + 1, maps.shape[3] - kw + 1
    shifted = [maps[i * kw + j, :, i : i + h, j : j + w] for i in range(kh) for j in range(kw)]
    return sum(shifted[1:], shifted[0])[..., None].astype(x.dtype)
