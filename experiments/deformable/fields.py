"""How far a unit sees in effect (Luo et al. 2016, arXiv:1701.04128), and how deforming changes that."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from experiments.deformable.config import Config
from experiments.deformable.data import Data
from experiments.deformable.dense import STRIDE, inputs, make_net
from experiments.deformable.scenes import SIZES, Scenes
from lib.models.deformable import LAST, Segmenter, deform
from lib.nn.conv import conv
from lib.run.keys import purpose
from lib.run.loop import member
from lib.run.result import Result
from lib.run.watch import Watch

SHARE = 1 - 0.9545
"""Of the central pixel's gradient: a pixel with more is in the effective field (two standard deviations)."""
CHANNELS = 4


def effective_radius(gradient: np.ndarray) -> float:
    """The root of the number of pixels that count: `[h, w]`, absolute gradients, the unit's in the middle."""
    return float(np.sqrt((gradient >= SHARE * gradient.max()).sum()))


@functools.partial(jax.jit, static_argnames="depth")
def random_stack(key: jax.Array, rectified: jax.Array | bool, *, depth: int) -> jax.Array:
    """|d y_middle / d x|, `[s, s]`, of `depth` random 3 x 3 convolutions, s = 2 depth + 1.

    The middle sees the whole image and nothing beyond it, whatever the padding.
    """
    side = 2 * depth + 1
    x_key, kernel_key = jax.random.split(key)
    x = jax.random.normal(x_key, (1, side, side, CHANNELS))
    scale = jnp.where(rectified, 2.0, 1.0) / (9 * CHANNELS)
    kernels = jnp.sqrt(scale) * jax.random.normal(kernel_key, (depth, 3, 3, CHANNELS, CHANNELS))

    def layer(x, numbered):
        i, kernel = numbered
        x = jnp.where(rectified & (i > 0), jax.nn.relu(x), x)
        return conv(x, kernel, ((1, 1), (1, 1))), None

    def middle(x):
        return jax.lax.scan(layer, x, (jnp.arange(depth), kernels))[0][0, depth, depth].sum()

    return jnp.abs(jax.grad(middle)(x)[0]).sum(axis=-1)


def receptive_field(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Effective radius against depth of random stacks, and of the segmenter plain and deformable."""
    field, metrics, arrays = config.field, {}, {"field_depths": np.asarray(config.field.depths)}
    for name, rectified in (("linear", False), ("relu", True)):
        slopes = []
        for i, key in enumerate(keys):
            radii = []
            for depth in field.depths:
                of_depth = jax.random.split(purpose(key, f"field {depth}"), field.nets)
                mean = sum(random_stack(k, rectified, depth=depth) for k in of_depth)
                radii.append(effective_radius(np.asarray(mean)))
            slopes.append(float(np.polyfit(np.log(field.depths), np.log(radii), 1)[0]))
            if i == 0:
                arrays[f"field_radii_{name}"] = np.asarray(radii)
        metrics[f"field_slope_{name}"] = slopes
    test = data.scenes["test"]
    for name, deformed in (("plain", 0), ("deformable", LAST)):
        net = deform(make_net(config), deformed)
        weights = needs["table_1"].weights[f"deformable_{deformed}"][0]
        for i in range(len(keys)):
            of_sizes = trained_fields(net, member(weights, i), test, field.units)
            for size, gradient in of_sizes.items():
                spread = metrics.setdefault(f"field_{name}_{size}", [])
                spread.append(effective_radius(gradient))
                if i == 0:
                    arrays[f"field_{name}_{size}"] = gradient
    for size in ("small", "large"):
        pairs = zip(
            metrics[f"field_deformable_{size}"], metrics[f"field_plain_{size}"], strict=True
        )
        metrics[f"field_gain_{size}"] = [deformable / plain for deformable, plain in pairs]
    return Result(metrics, arrays=arrays)


@functools.lru_cache(maxsize=4)
def _gradient(net: Segmenter):
    def seen(params, image, unit):
        """|d feature / d pixel| of a position of the last feature map, `[h, w]`."""

        def response(x):
            features = net.apply({"params": params}, x[None], method=net.features)
            return features[0, unit[0], unit[1]].sum()

        return jnp.abs(jax.grad(response)(inputs(image))).sum(axis=-1)

    return jax.jit(jax.vmap(seen, in_axes=(None, 0, 0)))


def trained_fields(net: Segmenter, params, test: Scenes, units: int) -> dict[str, np.ndarray]:
    """Mean gradients about units on small and on large objects, `[2 h - 1, 2 w - 1]`, unit in the middle."""
    fields = {}
    middle = slice(STRIDE // 2, None, STRIDE)
    coarse = test.sizes[:, middle, middle]
    side = test.images.shape[1]
    for size in ("small", "large"):
        places = np.argwhere(coarse == SIZES.index(size))
        rng = np.random.default_rng(0)
        places = places[rng.permutation(len(places))[:units]]
        total = np.zeros((2 * side - 1, 2 * side - 1), np.float32)
        gradients = _gradient(net)(params, test.images[places[:, 0]], places[:, 1:])
        for gradient, (row, column) in zip(
            np.asarray(gradients), places[:, 1:] * STRIDE, strict=True
        ):
            if gradient.max() > 0:
                top, left = side - 1 - row, side - 1 - column
                total[top : top + side, left : left + side] += gradient / gradient.sum()
        fields[size] = total
    return fields
