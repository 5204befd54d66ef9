"""Small networks whose last convolutions can be deformed (Dai et al. 2017), and their neighbours."""

import functools
from typing import TypeVar

import chex
import flax.linen as nn
import jax

from lib.nn.conv import Conv
from lib.nn.deformable import DeformableConv, DeformableRoIPool, pool
from lib.nn.dynamic_filter import DynamicLocalFilter
from lib.nn.spatial_transformer import SpatialTransformer

LAST = 3
"""Convolutions that the paper deforms, or dilates: the last three (section 3.1)."""

Net = TypeVar("Net", "DigitClassifier", "Segmenter")


def deform(net: Net, last: int) -> Net:
    """`net` with its last `last` convolutions of 3 x 3 deformable; its parameters are a part of the new ones.

    Raises:
      ValueError: it has not as many.
    """
    if not 0 <= last <= len(net.widths):
        raise ValueError(f"cannot deform {last} of {len(net.widths)} convolutions")
    return net.clone(deformed=last)


def _conv(net: Net, i: int, dilation: int, stride: int = 1, everywhere: bool = False):
    """The i-th convolution, `conv1` being the first."""
    layer = Conv
    if i >= len(net.widths) - net.deformed:
        layer = functools.partial(DeformableConv, everywhere=everywhere)
    return layer(
        net.widths[i],
        (3, 3),
        stride=stride,
        dilation=dilation,
        kernel_init=nn.initializers.he_normal(),
        name=f"conv{i + 1}",
    )


class DigitClassifier(nn.Module):
    """Four convolutions, each rectified and then normalised, their mean over places, a dense layer.

    The network of the published demonstration on scaled digits (F. Lau 2017). With `train` the batch's own
    statistics normalise it, else those of the collection "batch_stats".

    Attributes:
      widths: filters of the convolutions; the second and the fourth have a stride of 2.
      deformed: how many of the last convolutions are deformable.
      everywhere: by the same offsets at every place (active convolution).
      dilation: of the last three, whose strides are then taken by leaving out pixels of their results.
      transformed: a spatial transformer before the first.
      filtered: a dynamic local filter before each of the last three.
    """

    widths: tuple[int, ...] = (32, 64, 128, 128)
    deformed: int = 0
    everywhere: bool = False
    dilation: int = 1
    transformed: bool = False
    filtered: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """`[n, h, w, 1]` -> logits `[n, 10]`."""
        chex.assert_rank(x, 4)
        if self.transformed:
            x = SpatialTransformer(name="transformer")(x)
        for i in range(len(self.widths)):
            late, stride = i >= len(self.widths) - LAST, 1 + i % 2
            if late and self.filtered:
                x = DynamicLocalFilter(name=f"filter{i + 1}")(x)
            if late and self.dilation > 1:
                x = _conv(self, i, self.dilation)(x)[:, ::stride, ::stride]
            else:
                x = _conv(self, i, 1, stride, self.everywhere)(x)
            x = nn.BatchNorm(
                use_running_average=not train, momentum=0.0, epsilon=1e-3, name=f"norm{i + 1}"
            )(nn.relu(x))
        return nn.Dense(10, name="logits")(x.mean(axis=(1, 2)))


class Segmenter(nn.Module):
    """Classes of the pixels, at every fourth: `[n, h, w, 3]` -> logits `[n, h / 4, w / 4, classes]`.

    Two convolutions with a stride of 2, then those of `widths`, each normalised over its filters, rectified
    and added to what it reads, then one of 1 x 1. As in the paper's backbones the last three have a
    dilation of 2 (section 3.1).

    Attributes:
      widths: filters of the convolutions after the two first, all as many.
      deformed: how many of the last are deformable.
      dilation: of the last three.
    """

    classes: int
    widths: tuple[int, ...] = (32,) * 6
    deformed: int = 0
    dilation: int = 2

    def setup(self):
        he = nn.initializers.he_normal()
        width = self.widths[0]
        self.stem = [Conv(w, (3, 3), stride=2, kernel_init=he) for w in (width // 2, width)]
        first_late = len(self.widths) - LAST
        self.convs = [
            _conv(self, i, self.dilation if i >= first_late else 1) for i in range(len(self.widths))
        ]
        self.norms = [nn.LayerNorm() for _ in self.widths]
        self.head = Conv(self.classes, (1, 1))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.features(x))

    def features(self, x: jax.Array) -> jax.Array:
        """`[n, h, w, 3]` -> `[n, h / 4, w / 4, widths[-1]]`: what the head, or a detector, reads."""
        chex.assert_rank(x, 4)
        for conv in self.stem:
            x = nn.relu(conv(x))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + nn.relu(norm(conv(x)))
        return x


class Detector(nn.Module):
    """What is in given regions, and where: Fast R-CNN's head (Girshick 2015) on a segmenter's features.

    Attributes:
      trunk: its features are pooled; its classes are those of the objects, the first being none.
      bins: of a side of a region (paper: 7).
      hidden: units of the two dense layers (paper: 1 024).
      deformed_bins: bins move with what is in them.
    """

    trunk: Segmenter
    bins: int = 7
    hidden: int = 1024
    deformed_bins: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, rois: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Logits `[n, r, classes]`, and `[n, r, 4]` as of `lib.ops.boxes.encode`, the same for all classes.

        Args:
          images: `[n, h, w, 3]`.
          rois: `[n, r, 4]`: top, left (whole numbers), height, width in positions of the features.
        """
        features = self.trunk.features(images)
        if self.deformed_bins:
            x = DeformableRoIPool(self.bins, name="pool")(features, rois)
        else:
            x = pool(features, rois, self.bins)
        x = x.reshape(*x.shape[:2], -1)
        for i in (1, 2):
            x = nn.relu(nn.Dense(self.hidden, name=f"dense{i}")(x))
        classes = nn.Dense(self.trunk.classes, name="classes")(x)
        return classes, nn.Dense(4, name="boxes")(x)
