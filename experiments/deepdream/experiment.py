"""DeepDream, in the order in which it happens: images, dreams, layers, dogs, guides, classes, zoom."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.deepdream.config import SETS, Config, check
from experiments.deepdream.imbalance import imbalance
from experiments.deepdream.layers import LAYERS, SCORES
from experiments.deepdream.network import entropy, posterior, prepare, untrained
from experiments.deepdream.octaves import (
    Dream,
    Goal,
    Network,
    Settings,
    dream,
    energy,
    guided,
    likeness,
    of_classes,
    to_pixels,
    value,
)
from lib.data import Dataset, load
from lib.ops.color import luma
from lib.ops.resize import interpolate, resize, zoomed
from lib.pretrained import load as load_pretrained
from lib.pretrained.classes import CLASSES, DOGS
from lib.run.keys import purpose
from lib.run.loop import train_on_host
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]

SOURCES = ("network", "judge", "photographs", "guides", "small")
GREY = 117.0
"""Of the noise that one begins with, in levels of 255: about the mean image."""


class Data(NamedTuple):
    """What parts need; what was not asked for is None, or empty.

    Attributes:
      photographs, guides: uint8 `[h, w, 3]` by name.
      small: the training and the test set of the small networks.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    network: Network | None
    judge: Network | None
    photographs: dict[str, np.ndarray]
    guides: dict[str, np.ndarray]
    small: tuple[Dataset, Dataset] | None
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """Networks, photographs and digits, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    networks, images, small, about = {}, {}, None, {}
    for source in ("network", "judge"):
        if source in only:
            pretrained = load_pretrained(getattr(config, source), weights_dir)
            networks[source] = prepare(pretrained, config.precision)
            about[source] = [pretrained.describe()]
    for source in ("photographs", "guides"):
        if source in only:
            images[source], about[source] = _find(getattr(config, source), data_dir)
    if "small" in only:
        small = tuple(load(config.small_dataset, s, data_dir=data_dir) for s in ("train", "test"))
        about["small"] = [dataset.describe() for dataset in small]
    return Data(
        networks.get("network"),
        networks.get("judge"),
        images.get("photographs", {}),
        images.get("guides", {}),
        small,
        about,
    )


def _find(names: Sequence[str], data_dir: Path | None) -> tuple[dict[str, np.ndarray], list[dict]]:
    """`(images by name, descriptions of the splits they are in)` of images called SET/NAME."""
    images, descriptions, splits = {}, [], {}
    for name in names:
        folder, image = name.split("/")
        if folder not in splits:
            splits[folder] = [load(folder, split, data_dir=data_dir) for split in SETS[folder]]
        split = next(s for s in splits[folder] if image in s.arrays)
        pixels = split.arrays[image]
        images[image] = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        if split.describe() not in descriptions:
            descriptions.append(split.describe())
    return images, descriptions


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Collection[str] = (),
) -> Result:
    """What the parts find, or those in `only`. `key` is one root key, or `[n]` of them: a replica each."""
    return run_parts(load_paper("experiments.deepdream"), config, key, data, watch, tuple(only))


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


def seen(network: Network, pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 `[H, W, 3]` -> float32 `[h, w, 3]` as the network sees it, its longer side `side`."""
    shape = tuple(max(1, round(n * side / max(pixels.shape[:2]))) for n in pixels.shape[:2])
    return np.clip(resize(pixels.astype(np.float32), shape), 0, 255) - network.mean


def photographs_of(config: Config, data: Data) -> dict[str, np.ndarray]:
    """As the network sees them, all of the first one's shape: others are cut to it, their middle kept.

    So all share one compiled program an octave.
    """
    network, (first, *_) = data.network, data.photographs.values()
    h, w = seen(network, first, config.size).shape[:2]
    found = {}
    for name, pixels in data.photographs.items():
        scale = max(h / pixels.shape[0], w / pixels.shape[1])
        shape = tuple(
            max(least, round(n * scale)) for n, least in zip(pixels.shape, (h, w), strict=False)
        )
        image = np.clip(resize(pixels.astype(np.float32), shape), 0, 255) - network.mean
        top, left = (shape[0] - h) // 2, (shape[1] - w) // 2
        found[name] = image[top : top + h, left : left + w]
    return found


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
        found: list[Dream] = [
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
            metrics[f"begun_{octave}"] = [float(f.curve[octave, 0]) for f in found]
            metrics[f"ended_{octave}"] = [float(f.curve[octave, 1]) for f in found]
        return {**state, which: np.stack([f.image for f in found])}, metrics

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


def wavelength(change: np.ndarray) -> float:
    """Of `[h, w, 3]`, in pixels: one over the mean frequency, each weighted with its power in brightness."""
    brightness = luma(np.asarray(change, np.float64) / 255)
    brightness = brightness - brightness.mean()
    h, w = brightness.shape
    # Faded out towards the border, which would otherwise count as an edge.
    brightness = brightness * np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1])
    power = np.abs(np.fft.fft2(brightness)) ** 2
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None, :])
    return float(power.sum() / max((power * frequency).sum(), 1e-30))


def _means(per_item: Sequence[Sequence[float]]) -> list[float]:
    """`[items][seeds]` -> the mean over items, one a seed."""
    return np.mean(np.asarray(per_item, float), axis=0).tolist()


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
    found = dreams("dream", network, items, keys, watch)
    rises, against, coarser, rising, outside = [], [], [], [], []
    for name in data.photographs:
        begins = found.begins[f"{name} high"]
        ends = {arm: found.images[f"{name} {arm}"] for arm in ("high", "flat", "random")}
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
        row = found.rows[list(items).index(f"{name} high")]
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
        "rise": _means(rises),
        "rise_random": _means(against),
        "rise_over_random": ratio.tolist(),
        "octaves_coarser": _means(coarser),
        "octaves_rising": _means(rising),
        "outside": _means(outside),
    }
    arrays = {"dream_photographs": np.array(list(data.photographs))}
    for i, name in enumerate(data.photographs):
        arrays[f"dream_photograph_{i}"] = to_pixels(network, found.begins[f"{name} high"][0])
        for arm in ("high", "flat", "random", "low"):
            arrays[f"dream_{arm}_{i}"] = to_pixels(network, found.images[f"{name} {arm}"][0])
    arrays["dream_layers"] = np.array([layers.default, layers.low])
    return Result(metrics, {"dream": found.rows}, arrays)


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
    found = dreams("layers", network, items, keys, watch)
    lengths, entropies = {}, {}
    for item, images in found.images.items():
        pairs = zip(images, found.begins[item], strict=True)
        lengths[item] = [wavelength(end - begin) for end, begin in pairs]
        if "untrained" not in item:
            entropies[item] = [
                entropy(posterior(data.judge, to_pixels(network, x))) for x in images
            ]
    of_layer = {layer: _means([lengths[f"{n} {layer}"] for n in names]) for layer in studied}
    mean_entropy = {layer: _means([entropies[f"{n} {layer}"] for n in names]) for layer in studied}
    lowest, highest = studied[0], studied[-1]

    def ratio(kind: str) -> list[float]:
        over = [
            np.divide(lengths[f"{n} {kind}{highest}"], lengths[f"{n} {kind}{lowest}"])
            for n in names
        ]
        return _means(over)

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
            arrays[f"layer_{i}_{j}"] = to_pixels(network, found.images[f"{name} {layer}"][0])
    for j, name in enumerate(names):
        pixels = to_pixels(network, found.begins[f"{name} {lowest}"][0])
        arrays[f"layer_photograph_{j}"] = pixels
    return Result(metrics, {"layers": found.rows}, arrays)


def rank_correlation(values: np.ndarray) -> float:
    """Spearman's, of values with their order."""
    ranks = np.argsort(np.argsort(values))
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1]) if len(values) > 1 else 0.0


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
    found = dreams("dogs", network, items, keys, watch)

    def judged(images) -> np.ndarray:
        return np.stack([posterior(data.judge, to_pixels(network, x)) for x in images])

    before = np.stack([judged(found.begins[name]) for name in begins])
    after = np.stack([judged(found.images[name]) for name in begins])
    random = np.stack([judged(found.images[f"{name} random"]) for name in begins])

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
        arrays[f"dogs_image_{i}"] = to_pixels(network, found.images[name][0])
    return Result(metrics, {"dogs": found.rows}, arrays)


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
    found = dreams("guided", network, items, keys, watch)

    def like(arm: str, guide: int) -> np.ndarray:
        return np.array([likeness(network, x, guides[guide], layer) for x in found.images[arm]])

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
    arrays = {"guided_photograph": to_pixels(network, found.begins["unguided"][0])}
    for i, guide in enumerate(guides):
        arrays[f"guide_{i}"] = to_pixels(network, guide)
        arrays[f"guided_{i}"] = to_pixels(network, found.images[f"guide {i}"][0])
    arrays["unguided"] = to_pixels(network, found.images["unguided"][0])
    return Result(metrics, {"guided": found.rows}, arrays)


def classes(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """From noise towards a class's score, with and without the prior of natural images."""
    network = data.network
    settings = settings_of(config, iterations=config.class_iterations)
    items = {}
    for name in config.classes:
        goal = of_classes(SCORES, [CLASSES[name]])
        for arm, power in (("prior", config.coarse), ("plain", 0.0)):
            items[f"{name} {arm}"] = Item(
                (config.class_size,) * 2, goal, settings._replace(coarse=power), name
            )
    found = dreams("classes", network, items, keys, watch)

    def share(arm: str, judge: Network) -> list[float]:
        hits = []
        for name in config.classes:
            five = [
                np.argsort(-posterior(judge, to_pixels(network, x)))[:5]
                for x in found.images[f"{name} {arm}"]
            ]
            hits.append([float(CLASSES[name] in top) for top in five])
        return _means(hits)

    prior, plain = share("prior", data.judge), share("plain", data.judge)
    metrics = {
        "classes_found": prior,
        "classes_found_plain": plain,
        "classes_prior_gain": np.subtract(prior, plain).tolist(),
        "classes_own": share("prior", network),
        "judged_by_another": float(data.judge.name != network.name),
    }
    arrays = {"classes": np.array(config.classes)}
    for i, name in enumerate(config.classes):
        for arm in ("prior", "plain"):
            arrays[f"class_{arm}_{i}"] = to_pixels(network, found.images[f"{name} {arm}"][0])
    return Result(metrics, {"classes": found.rows}, arrays)


def zoom(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """From noise, each frame a dream of the one before, magnified."""
    network = data.network
    shape = next(iter(photographs_of(config, data).values())).shape[:2]
    goal, settings = goal_of(network, LAYERS[network.name].default), settings_of(config)
    begins = np.stack([noise(network, purpose(key, "zoom noise"), shape) for key in keys])
    state = {"frames": np.zeros((config.frames, *begins.shape), np.float32)}

    def chunk(state, done, length):
        del length
        frames, curves = np.array(state["frames"]), []
        for i, key in enumerate(keys):
            begin = zoomed(frames[done - 1, i], config.zoom) if done else begins[i]
            key = jax.random.fold_in(purpose(key, "zoom"), done)
            found = dream(network, np.asarray(begin, np.float32), goal, key, settings)
            frames[done, i] = found.image
            curves.append(float(found.curve[-1, 1]))
        return {"frames": frames}, {"objective": curves}

    trained = train_on_host(
        f"zoom-{network.name}", state, chunk, steps=config.frames, every=1, watch=watch
    )
    frames = np.asarray(trained.state["frames"])
    follows, old = [], []
    for i in range(len(keys)):
        mine = frames[:, i]
        pairs = zip(mine[:-1], mine[1:], strict=True)
        follows.append(np.mean([correlation(zoomed(a, config.zoom), b) for a, b in pairs]))
        old.append(correlation(magnified(mine[0], config.zoom, config.frames - 1), mine[-1]))
    metrics = {"zoom_follows": [float(x) for x in follows], "zoom_old": [float(x) for x in old]}
    rows = [{"step": row["step"], "objective": row["objective"]} for row in trained.history]
    shown = {"zoom_frames": np.stack([to_pixels(network, frame) for frame in frames[:, 0]])}
    return Result(metrics, {"zoom": rows}, shown)


def magnified(image: np.ndarray, share: float, times: int) -> np.ndarray:
    """What `zoomed`, applied `times` times, shows of an image, interpolated once."""
    scale, points = (1 - share) ** times, []
    for n in image.shape[:2]:
        # Fixed under p -> (1 - share) p + n share / 2.
        points.append(n / 2 + scale * (np.arange(n) - n / 2))
    return interpolate(image, *points)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of two images' brightness."""
    a, b = (luma(np.asarray(x, np.float64) / 255).ravel() for x in (a, b))
    return float(np.corrcoef(a, b)[0, 1])


PARTS: dict[str, Callable[..., Result]] = {
    "dream": the_dream,
    "layers": layers,
    "dogs": dogs,
    "imbalance": imbalance,
    "guided": guided_dreams,
    "classes": classes,
    "zoom": zoom,
}
