"""Why dogs, by what another network says of dreams before and after."""

import jax
import numpy as np

from experiments.deepdream.config import Config
from experiments.deepdream.data import Data, photographs_of
from experiments.deepdream.dreaming import Item, dreams, goal_of, settings_of
from experiments.deepdream.goals import to_pixels
from experiments.deepdream.layers import LAYERS
from experiments.deepdream.network import posterior
from lib.pretrained.classes import DOGS
from lib.run.result import Result
from lib.run.watch import Watch


def dogs(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """How probable dogs are for the judge: in photographs and noise, dreamt on, and changed at random."""
    network = data.network
    goal = goal_of(network, LAYERS[network.name].default)
    items = {}
    images = photographs_of(config, data)
    shape = next(iter(images.values())).shape[:2]
    begins = images | {f"noise {i}": shape for i in range(len(images))}
    for name, begin in begins.items():
        items[name] = Item(begin, goal, settings_of(config), name)
        items[f"{name} random"] = Item(begin, goal, settings_of(config, random=True), name)
    dreamt = dreams("dogs", network, items, keys, watch)

    def judged(images) -> np.ndarray:
        return np.stack([posterior(data.judge, to_pixels(network, x)) for x in images])

    before = np.stack([judged(dreamt.begins[name]) for name in begins])
    after = np.stack([judged(dreamt.images[name]) for name in begins])
    random = np.stack([judged(dreamt.images[f"{name} random"]) for name in begins])

    def dogs_in(p: np.ndarray) -> np.ndarray:
        return p[..., list(DOGS)].sum(axis=-1).mean(axis=0)

    first = np.isin(after.argmax(axis=-1), list(DOGS)).mean(axis=0)
    metrics = {
        "dogs_before": dogs_in(before).tolist(),
        "dogs_after": dogs_in(after).tolist(),
        "dogs_random": dogs_in(random).tolist(),
        "dogs_gain": (dogs_in(after) - dogs_in(before)).tolist(),
        "dogs_first": first.tolist(),
    }
    arrays = {"dogs_posterior_before": before.mean(axis=(0, 1))}
    arrays["dogs_posterior_after"] = after.mean(axis=(0, 1))
    arrays["dogs_likeliest"] = after[:, 0].argmax(axis=-1)
    for i, name in enumerate(begins):
        arrays[f"dogs_image_{i}"] = to_pixels(network, dreamt.images[name][0])
    return Result(metrics, {"dogs": dreamt.rows}, arrays)
