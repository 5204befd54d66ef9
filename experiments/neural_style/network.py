"""A pretrained network as the paper prepares it: average pooling, and unit mean activations."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.neural_style.layers import LAYERS, Layers
from lib.models import squeezenet, vgg
from lib.models.unit_mean import mean_activations, unit_mean
from lib.pretrained import Pretrained
from lib.run.precision import dtype_of

Params = Any


class Network(NamedTuple):
    """What sees images: RGB in 0..255 less `mean`, float32 `[h, w, 3]`.

    Attributes:
      features: `(params, image, taps) -> {tap: activations [h', w', N]}`.
      params: the network's, as `features` takes them.
      mean: `[3]`.
      layers: which layers stand for what.
      means: {layer: each channel's mean activation} before normalisation; None without.
      inputs: {layer: the layers whose channels it reads}.
    """

    name: str
    features: Callable[[Params, jax.Array, tuple[str, ...]], dict[str, jax.Array]]
    params: Params
    mean: np.ndarray
    layers: Layers
    means: dict[str, np.ndarray] | None
    inputs: dict[str, tuple[str, ...]]


@functools.lru_cache
def make_features(name: str, pooling: str, precision: str) -> Callable:
    """The `features` of a `Network`: the same function, and so compiled once, for equal arguments."""
    dtype = dtype_of(precision)
    if name == "squeezenet1_1":
        net = squeezenet.SqueezeNet(pooling, dtype=dtype)
    else:
        net = vgg.VGG(int(name.removeprefix("vgg")), pooling, dtype=dtype)

    def features(params, image, taps):
        tapped = net.apply({"params": params}, image[None], taps)
        return {tap: activations[0] for tap, activations in tapped.items()}

    return features


def prepare(
    pretrained: Pretrained,
    *,
    pooling: str = "avg",
    calibration: Sequence[np.ndarray] = (),
    precision: str = "float32",
) -> Network:
    """The network of `pretrained`.

    Args:
      pooling: "avg" (paper) or "max".
      calibration: photographs, uint8 `[h, w, 3]`, over which each channel's mean activation is made one;
        none: the weights stay as they are.
    """
    name = pretrained.network.name
    inputs = squeezenet.inputs_of() if name == "squeezenet1_1" else vgg.inputs_of(int(name[3:]))
    plain = Network(
        name,
        make_features(name, pooling, precision),
        jax.device_put(pretrained.params),
        np.asarray(pretrained.network.mean, np.float32),
        LAYERS[name],
        None,
        dict(inputs),
    )
    return normalised(plain, calibration)


def normalised(plain: Network, calibration: Sequence[np.ndarray]) -> Network:
    """`plain` with every channel's mean activation over `calibration` made one; as it is without any."""
    if not calibration:
        return plain
    # The classifier is not looked at; what nothing reads must stay.
    has = {layer for layer in plain.inputs if _has(plain.params, layer)}
    inner = tuple(sorted({i for layer in has for i in plain.inputs[layer]} - {"fc6", "fc7"}))
    images = [image.astype(np.float32) - plain.mean for image in calibration]
    means = mean_activations(lambda image: plain.features(plain.params, image, inner), images)
    params = jax.device_put(unit_mean(plain.params, means, plain.inputs))
    return plain._replace(params=params, means=means)


def pooled(
    plain: Network, pooling: str, precision: str, calibration: Sequence[np.ndarray]
) -> Network:
    """The network as published with another pooling, and normalised with that."""
    features = make_features(plain.name, pooling, precision)
    return normalised(plain._replace(features=features), calibration)


def _has(params: Params, layer: str) -> bool:
    for name in layer.split("/"):
        if name not in params:
            return False
        params = params[name]
    return True
