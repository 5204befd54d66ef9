"""A network with VGG-19's layers as far as style needs them, of a few random weights."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style.layers import LAYERS
from experiments.neural_style.network import Network

WIDTHS = {"conv1_1": 6, "conv2_1": 6, "conv2_2": 6, "conv3_1": 8, "conv4_1": 8, "conv4_2": 8}
WIDTHS |= {"conv5_1": 8}
SIDES = (((1, 0), (0, 0), (0, 0)), ((0, 0), (1, 0), (0, 0)))


def toy_network() -> Network:
    """Each layer sees a pixel and its neighbours above and to the left; each block begins with a pooling."""
    rng, params, channels = np.random.default_rng(0), {}, 3
    for layer, width in WIDTHS.items():
        shape = (3, channels, width)
        params[layer] = rng.normal(0, (2 / (3 * channels)) ** 0.5, shape).astype(np.float32)
        channels = width
    mean = np.full(3, 128, np.float32)
    return Network("vgg19", toy_features, jax.device_put(params), mean, LAYERS["vgg19"], None, {})


def toy_features(params, image, taps):
    """As the `features` of a `Network`; sides that are multiples of 16."""
    activations, x = {}, image
    for layer, kernel in params.items():
        if layer.endswith("_1") and layer != "conv1_1":
            h, w, n = x.shape
            x = x.reshape(h // 2, 2, w // 2, 2, n).mean((1, 3))
        above, left = (jnp.pad(x, side)[: x.shape[0], : x.shape[1]] for side in SIDES)
        moved = jnp.stack([x, above, left])
        x = jax.nn.relu(jnp.einsum("khwc,kcd->hwd", moved, kernel))
        activations[layer] = x
    return {tap: activations[tap] for tap in taps}
