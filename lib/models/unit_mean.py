"""Gatys et al.'s normalisation: every channel's mean activation is one, and the network computes the same.

(arXiv:1508.06576, section "Methods".) A network of convolutions, rectifiers and poolings lets a channel be
divided by a positive number if whatever reads it multiplies by the same number.
"""

from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np

Params = Mapping[str, Mapping]

FLOOR = 0.05
"""Of the layer's mean: a channel that hardly ever fires counts as one that fires this much."""


def mean_activations(
    apply: Callable[[jax.Array], Mapping[str, jax.Array]], images: Iterable[jax.Array]
) -> dict[str, np.ndarray]:
    """Each channel's mean over all positions, then over images: {layer: [channels]}.

    Args:
      apply: an image `[h, w, 3]` -> {layer: activations `[h', w', channels]`}.
      images: of any sizes.
    """
    over_positions = jax.jit(lambda image: jax.tree.map(lambda x: x.mean((0, 1)), apply(image)))
    means = [jax.device_get(over_positions(image)) for image in images]
    return {layer: np.mean([f[layer] for f in means], axis=0) for layer in means[0]}


def unit_mean(
    params: Params, means: Mapping[str, np.ndarray], inputs: Mapping[str, tuple[str, ...]]
) -> dict:
    """`params` with the channels of the layers in `means` divided by their means.

    Args:
      params: nested dicts; a layer "fire2/squeeze" is `params["fire2"]["squeeze"]`, with a `kernel`
        `[kh, kw, c, d]` and a `bias` `[d]`.
      means: {layer: `[d]`}. Channels that never fire stay as they are, and those that fire less than
        `FLOOR` of the layer's mean are divided by that much only: a few images say too little of them.
      inputs: {layer: the layers whose channels it reads, in order}; a layer not in it reads the image.

    Returns:
      The same structure, float32. A layer that nothing reads is not to be in `means`: its output would be
      another one.

    Raises:
      ValueError: it is.
    """
    read = {layer for layers in inputs.values() for layer in layers}
    if unread := sorted(means.keys() - read):
        raise ValueError(f"nothing reads {', '.join(unread)}: dividing changes what comes out")
    divisors = {layer: _divisor(np.asarray(mean)) for layer, mean in means.items()}

    def scaled(layer: str, conv: Mapping) -> dict:
        kernel, bias = np.asarray(conv["kernel"], np.float32), np.asarray(conv["bias"], np.float32)
        if layer in inputs:
            ones = [divisors.get(i, np.ones(_width(params, i))) for i in inputs[layer]]
            kernel = kernel * np.concatenate(ones).astype(np.float32)[:, None]
        divisor = divisors.get(layer, np.ones(len(bias))).astype(np.float32)
        return {"kernel": kernel / divisor, "bias": bias / divisor}

    def walk(tree: Mapping, path: str) -> dict:
        if "kernel" in tree:
            return scaled(path, tree)
        return {name: walk(part, f"{path}/{name}".strip("/")) for name, part in tree.items()}

    return walk(params, "")


def _divisor(mean: np.ndarray) -> np.ndarray:
    return np.where(mean > 0, np.maximum(mean, FLOOR * mean.mean()), 1.0)


def _width(params: Params, layer: str) -> int:
    for name in layer.split("/"):
        params = params[name]
    return len(params["bias"])
