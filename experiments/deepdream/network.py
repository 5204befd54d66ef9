"""A pretrained network as dreams and their judge see it."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.deepdream.goals import Network, activations
from experiments.deepdream.layers import SCORES
from lib.base.errors import UserError
from lib.models.googlenet import GoogLeNet
from lib.models.squeezenet import SqueezeNet
from lib.ops.resize import resize
from lib.pretrained import Pretrained
from lib.run.precision import dtype_of

HEADS = {"googlenet": ("inception_5b", "classifier"), "squeezenet1_1": ("fire9", "conv10")}
"""What the classifier reads, and the classifier."""


@functools.lru_cache
def make_features(name: str, precision: str) -> Callable:
    """The `features` of a `Network`: the same function, and so compiled once, for equal arguments."""
    net = {"googlenet": GoogLeNet, "squeezenet1_1": SqueezeNet}[name](dtype=dtype_of(precision))
    last, classifier = HEADS[name]

    def features(params, image, taps):
        own = tuple(last if tap == SCORES else tap for tap in taps)
        tapped = net.apply({"params": params}, image[None], own)
        tapped = {tap: values[0] for tap, values in tapped.items()}
        if SCORES in taps:
            head = params[classifier]
            tapped[SCORES] = tapped[last] @ head["kernel"][0, 0] + head["bias"].reshape(1, 1, -1)
        return tapped

    return features


def prepare(pretrained: Pretrained, precision: str = "float32") -> Network:
    """The network of `pretrained`."""
    about = pretrained.network
    mean = np.asarray(about.mean, np.float32)
    features = make_features(about.name, precision)
    return Network(about.name, features, jax.device_put(pretrained.params), mean, about.side)


def untrained(network: Network, key: jax.Array) -> Network:
    """The same layers with each kernel's weights in random order: a network that has learned nothing."""
    leaves, tree = jax.tree.flatten(network.params)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, x.reshape(-1)).reshape(x.shape) if x.ndim > 1 else x
        for k, x in zip(keys, leaves, strict=True)
    ]
    return network._replace(params=jax.tree.unflatten(tree, mixed))


def posterior(network: Network, pixels: np.ndarray) -> np.ndarray:
    """What a network says of uint8 `[h, w, 3]`, its shorter side enlarged or shrunk to `side`: `[1000]`."""
    shape = tuple(round(n * network.side / min(pixels.shape[:2])) for n in pixels.shape[:2])
    seen = np.clip(resize(pixels.astype(np.float32), shape), 0, 255) - network.mean
    logits = activations(network, seen.astype(np.float32), "logits")
    return np.asarray(jax.nn.softmax(logits))


def entropy(probabilities: np.ndarray) -> float:
    """In nats."""
    p = np.asarray(probabilities, np.float64)
    return float(-(p * np.log(np.maximum(p, 1e-30))).sum())


def check_layer(network: Network, layer: str, *, positions: bool = False) -> None:
    """Raises UserError (code 2), naming those there are, if the network has no such layer.

    With `positions` also if the layer has none.
    """
    image = jax.ShapeDtypeStruct((network.side, network.side, 3), jnp.float32)
    try:
        shapes = jax.eval_shape(
            lambda image: network.features(network.params, image, (layer,)), image
        )
    except ValueError as error:
        raise UserError(f"{network.name} has {error}, {SCORES}", 2) from None
    if positions and shapes[layer].ndim < 3:
        raise UserError(f"{layer} has no positions: name a layer before it", 2)
