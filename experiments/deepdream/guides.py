"""Guided dreams: more of what is like another image."""

import jax
import numpy as np

from experiments.deepdream.config import Config
from experiments.deepdream.data import Data, photographs_of, seen
from experiments.deepdream.dreaming import Item, dreams, settings_of
from experiments.deepdream.goals import energy, guided, likeness, to_pixels
from experiments.deepdream.layers import LAYERS
from lib.run.result import Result
from lib.run.watch import Watch


def guided_dreams(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """The first photograph, dreamt on with each guide and without one: all else is the same."""
    network = data.network
    layer = LAYERS[network.name].guide
    name, image = next(iter(photographs_of(config, data).items()))
    # The notebook's guide is a small image.
    guides = [seen(network, p, max(config.size // 2, 64)) for p in data.guides.values()]
    goals = {f"guide {i}": guided(network, g, layer) for i, g in enumerate(guides)}
    goals["unguided"] = energy(layer)
    items = {arm: Item(image, goal, settings_of(config), name) for arm, goal in goals.items()}
    dreamt = dreams("guided", network, items, keys, watch)

    def like(arm: str, guide: int) -> np.ndarray:
        return np.array([likeness(network, x, guides[guide], layer) for x in dreamt.images[arm]])

    own = np.stack([like("guide 0", 0), like("guide 1", 1)])
    other = np.stack([like("guide 1", 0), like("guide 0", 1)])
    without = np.stack([like("unguided", 0), like("unguided", 1)])
    metrics = {
        "guide_own": own.mean(axis=0).tolist(),
        "guide_other": other.mean(axis=0).tolist(),
        "guide_without": without.mean(axis=0).tolist(),
        "guide_specific": ((own - other) / (1 - other)).mean(axis=0).tolist(),
        "guide_over_unguided": ((own - without) / (1 - without)).mean(axis=0).tolist(),
    }
    arrays = {"guided_photograph": to_pixels(network, dreamt.begins["unguided"][0])}
    for i, guide in enumerate(guides):
        arrays[f"guide_{i}"] = to_pixels(network, guide)
        arrays[f"guided_{i}"] = to_pixels(network, dreamt.images[f"guide {i}"][0])
    arrays["unguided"] = to_pixels(network, dreamt.images["unguided"][0])
    return Result(metrics, {"guided": dreamt.rows}, arrays)
