"""What holds before anything is optimised: Gram matrices know no places, and networks no scales."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.neural_style.config import Config
from experiments.neural_style.style import compiled, from_pixels
from lib.models.unit_mean import FLOOR, mean_activations
from lib.ops.style import content_loss, gram
from lib.run.result import Result
from lib.run.watch import Watch


def checks(config: Config, keys: jax.Array, data, watch: Watch) -> Result:
    """Of the photograph, and of the calibration's photographs. Nothing in it is random."""
    with jax.default_matmul_precision("highest"):  # a GPU rounds to 10 bits otherwise
        return shuffled(config, data) | normalised(config, data)


def shuffled(config: Config, data) -> Result:
    """The content layer's features at shuffled positions: has the Gram matrix changed, has the content?"""
    network = data.network
    image = from_pixels(network, data.content, config.small)
    layer = network.layers.content
    features = compiled(network.features)(network.params, image, (layer,))[layer]
    features = features.astype(jnp.float32)
    rows = features.reshape(-1, features.shape[-1])
    order = np.random.default_rng(0).permutation(len(rows))
    moved = rows[order].reshape(features.shape)
    before, after = gram(features), gram(moved)
    change = jnp.abs(after - before).max() / jnp.abs(before).max()
    content = content_loss(moved, features) / content_loss(jnp.zeros_like(features), features)
    return Result({"shuffled_gram": float(change), "shuffled_content": float(content)})


def normalised(config: Config, data) -> Result:
    """How far mean activations are from one, and whether the network still computes the same."""
    network, plain = data.network, data.plain
    if network.means is None:
        return Result({})
    layers = tuple(network.means)

    def apply(image):
        return network.features(network.params, image, layers)

    images = [pixels.astype(np.float32) - network.mean for pixels in data.calibration]
    means = mean_activations(apply, images)
    before, after = (np.concatenate([m[layer] for layer in layers]) for m in (network.means, means))
    floor = np.concatenate([np.full(m.shape, FLOOR * m.mean()) for m in network.means.values()])
    fires = before >= floor
    image, last = from_pixels(network, data.content, config.small), network.layers.last
    first, second = (
        jax.device_get(compiled(net.features)(net.params, image, (last,))[last])
        for net in (plain, network)
    )
    changed = np.abs(second - first).max() / np.abs(first).max()
    return Result(
        {
            "unit_mean_error": float(np.abs(after[fires] - 1).max()),
            "below_floor": float(np.mean(~fires)),
            "output_changed": float(changed),
        }
    )
