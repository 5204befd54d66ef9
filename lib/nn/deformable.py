"""Convolutions that choose where they look (Dai et al. 2017, arXiv:1703.06211)."""

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from lib.nn.conv import Conv
from lib.ops.sampling import deformable_conv, roi_pool


class DeformableConv(nn.Module):
    """A convolution with taps that move with the input: `[n, h, w, c]` -> `[n, h', w', features]`.

    Its own parameters are those of `nn.Conv` (`kernel`, `bias`), so that a trained convolution's fit. A
    second convolution of the same size, stride and dilation, `offset`, finds where each tap goes; it starts
    at zero, and the layer as the plain one (section 2.1). `h' = ceil(h / stride)`: "SAME" padding. The
    offsets, `[n, h', w', groups * kh * kw * 2]`, are sown into the collection "intermediates".

    Attributes:
      groups: parts of the channels with offsets of their own.
      everywhere: offsets are parameters, the same at every place of every input, and found by training alone:
        active convolution (Jeon and Kim 2017, arXiv:1703.09076).
      modulated: each tap also gets a factor from the input (Zhu et al. 2019), here twice the sigmoid of
        what `modulation` says, which is one at the start (there: the sigmoid, one half).

    Raises:
      ValueError: a side of the kernel is even, which has no middle; a stride goes with a dilation.
    """

    features: int
    kernel_size: tuple[int, int]
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    everywhere: bool = False
    modulated: bool = False
    use_bias: bool = True
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()
    bias_init: Callable[..., jax.Array] = nn.initializers.zeros_init()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        chex.assert_rank(x, 4)
        kh, kw = self.kernel_size
        if kh % 2 == 0 or kw % 2 == 0:
            raise ValueError(f"a kernel's sides are odd, not {kh} x {kw}")
        padding = (self.dilation * (kh - 1) // 2, self.dilation * (kw - 1) // 2)
        kernel = self.param("kernel", self.kernel_init, (kh, kw, x.shape[-1], self.features))
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)

        def branch(name, values):
            if self.everywhere:
                size = self.groups * kh * kw * values
                shape = (len(x), *(-(-side // self.stride) for side in x.shape[1:3]), size)
                own = self.param(name, nn.initializers.zeros_init(), (size,))
                return jnp.broadcast_to(own.reshape(1, 1, 1, -1), shape)
            return Conv(
                self.groups * kh * kw * values,
                self.kernel_size,
                stride=self.stride,
                dilation=self.dilation,
                kernel_init=nn.initializers.zeros_init(),
                name=name,
            )(x)

        offsets = branch("offset", 2)
        self.sow("intermediates", "offsets", offsets)
        y = deformable_conv(
            x,
            offsets,
            kernel,
            stride=self.stride,
            dilation=self.dilation,
            padding=padding,
            mask=2 * nn.sigmoid(branch("modulation", 1)) if self.modulated else None,
        )
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


class DeformableRoIPool(nn.Module):
    """Average RoI pooling with bins that move with what is in them: `[n, h, w, c]` -> `[n, r, k, k, c]`.

    A dense layer, `offset`, finds from the plainly pooled features where each of the k x k bins goes
    (equation 7); it starts at zero, and the layer as plain pooling. The offsets, `[n, r, k, k, 2]`, are sown
    into the collection "intermediates".

    Attributes:
      bins: k.
      gamma: what the offsets are multiplied by (paper: 0.1).
    """

    bins: int
    gamma: float = 0.1

    @nn.compact
    def __call__(self, x: jax.Array, rois: jax.Array) -> jax.Array:
        """`rois`: `[n, r, 4]`, see `lib.ops.sampling.roi_pool`."""
        plain = pool(x, rois, self.bins)
        offsets = nn.Dense(2 * self.bins**2, kernel_init=nn.initializers.zeros, name="offset")(
            plain.reshape(*plain.shape[:2], -1)
        ).reshape(*plain.shape[:4], 2)
        self.sow("intermediates", "offsets", offsets)
        return pool(x, rois, self.bins, offsets, gamma=self.gamma)


def pool(
    x: jax.Array,
    rois: jax.Array,
    bins: int,
    offsets: jax.Array | None = None,
    *,
    gamma: float = 0.1,
) -> jax.Array:
    """`lib.ops.sampling.roi_pool` of several images: `[n, h, w, c]` and `[n, r, 4]` -> `[n, r, k, k, c]`."""
    chex.assert_rank([x, rois], [4, 3])
    if offsets is None:
        return jax.vmap(lambda x, rois: roi_pool(x, rois, bins))(x, rois)
    return jax.vmap(lambda x, r, o: roi_pool(x, r, bins, o, gamma=gamma))(x, rois, offsets)
