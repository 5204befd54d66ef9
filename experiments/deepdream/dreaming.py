"""Many dreams one after another, for each seed: what begins where, grows towards what, and how."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from experiments.deepdream.config import Config
from experiments.deepdream.goals import Goal, Network, energy
from experiments.deepdream.layers import LAYERS
from experiments.deepdream.octaves import Dream, Settings, dream
from lib.run.keys import purpose
from lib.run.loop import train_on_host
from lib.run.watch import Watch

GREY = 117.0
"""Of the noise that one begins with, in levels of 255: about the mean image."""


def settings_of(config: Config, **changes) -> Settings:
    """As the config says, but for `changes`."""
    base = Settings(
        config.octaves, config.octave_scale, config.iterations, config.step, config.jitter
    )
    return base._replace(**changes)


def goal_of(network: Network, layer: str) -> Goal:
    """1/2 |a|^2 of a layer, by the program that all parts share."""
    layers = LAYERS[network.name]
    return energy(layer, (*layers.studied, layers.default, layers.low))


def noise(network: Network, key: jax.Array, shape: tuple[int, int]) -> np.ndarray:
    """Grey with white noise of 12 levels, as the network sees it."""
    levels = GREY + 12 * np.asarray(jax.random.normal(key, (*shape, 3)))
    return np.clip(levels, 0, 255) - network.mean


class Item(NamedTuple):
    """A dream to come.

    Attributes:
      begin: `[h, w, 3]` as the network sees it; or the shape `(h, w)` of noise.
      stream: names its random shifts: items with the same are shifted alike.
      network: that dreams it, if not the part's own.
    """

    begin: np.ndarray | tuple[int, int]
    goal: Goal
    settings: Settings
    stream: str
    network: Network | None = None


class Dreamt(NamedTuple):
    """By item: where each seed began, what was dreamt, `[seeds, h, w, 3]`; the curves, an item a row."""

    begins: dict[str, np.ndarray]
    images: dict[str, np.ndarray]
    rows: list[dict]


def dreams(
    name: str, network: Network, items: Mapping[str, Item], keys: jax.Array, watch: Watch
) -> Dreamt:
    """Dreams `items` one after another, for each key."""

    def begin(item: Item, key: jax.Array) -> np.ndarray:
        if isinstance(item.begin, tuple):
            return noise(network, purpose(key, f"{item.stream} noise"), item.begin)
        return np.asarray(item.begin, np.float32)

    begins = {n: np.stack([begin(item, key) for key in keys]) for n, item in items.items()}

    def chunk(state, done, length):
        del length
        which, item = list(items.items())[done]
        dreamt: list[Dream] = [
            dream(
                item.network or network,
                start,
                item.goal,
                purpose(key, item.stream),
                item.settings,
            )
            for start, key in zip(begins[which], keys, strict=True)
        ]
        metrics = {}
        for octave in range(item.settings.octaves):
            metrics[f"begun_{octave}"] = [float(f.curve[octave, 0]) for f in dreamt]
            metrics[f"ended_{octave}"] = [float(f.curve[octave, 1]) for f in dreamt]
        return {**state, which: np.stack([f.image for f in dreamt])}, metrics

    state = {n: np.zeros_like(images) for n, images in begins.items()}
    trained = train_on_host(
        f"{name}-{network.name}", state, chunk, steps=len(items), every=1, watch=watch
    )
    images = {n: np.asarray(image) for n, image in trained.state.items()}
    rows = [
        {"training": name, "step": i + 1}
        | {k: v for k, v in row.items() if k.startswith(("begun", "ended"))}
        for i, row in enumerate(trained.history)
    ]
    return Dreamt(begins, images, rows)
