"""Photographs dreamt on: the notebook's algorithm and what its pieces do; from low layers to high ones."""

import jax
import numpy as np

from experiments.deepdream.config import Config
from experiments.deepdream.data import Data, photographs_of
from experiments.deepdream.dreaming import Item, dreams, goal_of, settings_of
from experiments.deepdream.goals import to_pixels, value
from experiments.deepdream.layers import LAYERS
from experiments.deepdream.measures import means, rank_correlation, wavelength
from experiments.deepdream.network import entropy, posterior, untrained
from lib.run.result import Result
from lib.run.watch import Watch


def the_dream(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """The algorithm on every photograph; in random directions; at the full size only; and of a low layer."""
    network, layers = data.network, LAYERS[data.network.name]
    high, low = goal_of(network, layers.default), goal_of(network, layers.low)
    plain = settings_of(config)
    flat = settings_of(config, octaves=1, iterations=config.octaves * config.iterations)
    random = settings_of(config, random=True)
    items = {}
    for name, image in photographs_of(config, data).items():
        items[f"{name} high"] = Item(image, high, plain, name)
        items[f"{name} flat"] = Item(image, high, flat, name)
        items[f"{name} random"] = Item(image, high, random, name)
        items[f"{name} low"] = Item(image, low, plain, name)
    dreamt = dreams("dream", network, items, keys, watch)
    rises, against, coarser, rising, outside = [], [], [], [], []
    for name in data.photographs:
        begins = dreamt.begins[f"{name} high"]
        ends = {arm: dreamt.images[f"{name} {arm}"] for arm in ("high", "flat", "random")}
        energies = {arm: [value(network, x, high) for x in xs] for arm, xs in ends.items()}
        before = value(network, begins[0], high)
        rises.append([e / before for e in energies["high"]])
        against.append([e / before for e in energies["random"]])
        coarser.append(
            [
                float(np.divide(wavelength(a - x), wavelength(b - x)))
                for a, b, x in zip(ends["high"], ends["flat"], begins, strict=True)
            ]
        )
        row = dreamt.rows[list(items).index(f"{name} high")]
        octaves = range(config.octaves)
        rising.append(
            np.mean(
                [np.greater(row[f"ended_{o}"], row[f"begun_{o}"]) for o in octaves], axis=0
            ).tolist()
        )
        levels = ends["high"] + network.mean
        outside.append(
            [float(np.mean((x < -1e-3) | (x > 255 + 1e-3))) for x in levels]  # rounding
        )
    ratio = np.asarray(rises).mean(axis=0) / np.asarray(against).mean(axis=0)
    metrics = {
        "rise": means(rises),
        "rise_random": means(against),
        "rise_over_random": ratio.tolist(),
        "octaves_coarser": means(coarser),
        "octaves_rising": means(rising),
        "outside": means(outside),
    }
    arrays = {"dream_photographs": np.array(list(data.photographs))}
    for i, name in enumerate(data.photographs):
        arrays[f"dream_photograph_{i}"] = to_pixels(network, dreamt.begins[f"{name} high"][0])
        for arm in ("high", "flat", "random", "low"):
            arrays[f"dream_{arm}_{i}"] = to_pixels(network, dreamt.images[f"{name} {arm}"][0])
    arrays["dream_layers"] = np.array([layers.default, layers.low])
    return Result(metrics, {"dream": dreamt.rows}, arrays)


def layers(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """The first two photographs, dreamt on with layers from the lowest to the highest."""
    network, studied = data.network, LAYERS[data.network.name].studied
    names = list(data.photographs)[:2]
    blank = untrained(
        network, jax.random.key(0)
    )  # the same for every seed: a control, not a sample
    items, images = {}, photographs_of(config, data)
    for name in names:
        image = images[name]
        for layer in studied:
            items[f"{name} {layer}"] = Item(
                image, goal_of(network, layer), settings_of(config), name
            )
        for layer in (studied[0], studied[-1]):
            items[f"{name} untrained {layer}"] = Item(
                image, goal_of(network, layer), settings_of(config), name, blank
            )
    dreamt = dreams("layers", network, items, keys, watch)
    lengths, entropies = {}, {}
    for item, images in dreamt.images.items():
        pairs = zip(images, dreamt.begins[item], strict=True)
        lengths[item] = [wavelength(end - begin) for end, begin in pairs]
        if "untrained" not in item:
            entropies[item] = [
                entropy(posterior(data.judge, to_pixels(network, x))) for x in images
            ]
    of_layer = {layer: means([lengths[f"{n} {layer}"] for n in names]) for layer in studied}
    mean_entropy = {layer: means([entropies[f"{n} {layer}"] for n in names]) for layer in studied}
    lowest, highest = studied[0], studied[-1]

    def ratio(kind: str) -> list[float]:
        over = [
            np.divide(lengths[f"{n} {kind}{highest}"], lengths[f"{n} {kind}{lowest}"])
            for n in names
        ]
        return means(over)

    table = np.array(list(of_layer.values()))
    metrics = {f"wavelength_{i}": of_layer[layer] for i, layer in enumerate(studied)}
    metrics |= {f"entropy_{i}": mean_entropy[layer] for i, layer in enumerate(studied)}
    metrics["wavelength_high_over_low"] = ratio("")
    metrics["wavelength_untrained_high_over_low"] = ratio("untrained ")
    metrics["wavelengths_ordered"] = [rank_correlation(column) for column in table.T]
    metrics["entropy_falls"] = np.subtract(mean_entropy[lowest], mean_entropy[highest]).tolist()
    arrays = {"layers": np.array(studied)}
    for i, layer in enumerate(studied):
        for j, name in enumerate(names):
            arrays[f"layer_{i}_{j}"] = to_pixels(network, dreamt.images[f"{name} {layer}"][0])
    for j, name in enumerate(names):
        pixels = to_pixels(network, dreamt.begins[f"{name} {lowest}"][0])
        arrays[f"layer_photograph_{j}"] = pixels
    return Result(metrics, {"layers": dreamt.rows}, arrays)
