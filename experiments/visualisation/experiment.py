"""The papers, in the order in which it happens: saliency, occlusion, and a DeConvNet on digits."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.visualisation import maps
from experiments.visualisation.config import Config, check
from experiments.visualisation.deconvnet import backward, convolve, forward, pool, strongest
from lib.batches.indices import shuffled_indices
from lib.data import load
from lib.ops.resize import resize
from lib.pretrained import Pretrained, recognition
from lib.pretrained import load as load_pretrained
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

__all__ = ["PARTS", "load_data", "run"]

SOURCES = ("network", "photographs", "train", "test")
CLASSES, KERNEL = 10, 5
SHOWN = 3
"""Photographs in a figure, and maps of the second layer."""


class Data(NamedTuple):
    """What parts need; what was not asked for is empty, or None.

    Attributes:
      photographs: uint8 `[side, side, 3]` by name, as large as the network was trained with.
      train, test: uint8 `[n, h, w, 1]`, h and w multiples of 4, and labels.
      about: for the record, descriptions of each of `SOURCES` that was loaded.
    """

    network: Pretrained | None
    photographs: dict[str, np.ndarray]
    train: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray] | None
    about: dict[str, list[dict]]


def load_data(
    config: Config,
    data_dir: Path | None = None,
    weights_dir: Path | None = None,
    *,
    only: Collection[str] | None = None,
) -> Data:
    """The pretrained network, the photographs and the digits, or those of `SOURCES` that `only` names."""
    check(config)
    only = SOURCES if only is None else only
    network, photographs, digits, about = None, {}, {}, {}
    if {"network", "photographs"} & set(only):
        network = load_pretrained(config.network, weights_dir)
        about["network"] = [network.describe()]
        sets = [load("photographs", split, data_dir=data_dir) for split in ("train", "test")]
        for name in config.photographs:
            image = next(s.arrays[name] for s in sets if name in s.arrays)
            image = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
            photographs[name] = square(image, network.network.side)
        about["photographs"] = [s.describe() for s in sets]
    for split, count in (("train", config.examples), ("test", config.searched)):
        if split in only:
            found = load(config.dataset, split, data_dir=data_dir)
            images, labels = found.arrays["image"][:count], found.arrays["label"][:count]
            digits[split] = (images[..., None], labels)
            about[split] = [found.describe()]
    return Data(network, photographs, digits.get("train"), digits.get("test"), about)


def square(image: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of uint8 `[h, w, 3]`, at `side`."""
    least = min(image.shape[:2])
    top, left = ((length - least) // 2 for length in image.shape[:2])
    middle = image[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)


def run(
    config: Config,
    key: jax.Array,
    data: Data,
    watch: Watch | None = None,
    only: Sequence[str] = (),
) -> Result:
    """Everything the papers claim, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.visualisation"), config, key, data, watch, only)


def classifier(data: Data) -> tuple[Callable, dict]:
    """`(logits, params)` of the pretrained network."""
    return recognition.make_classifier(data.network), jax.device_put(data.network.params)


def saliency(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """What is lost of the likeliest class when the most salient cells are hidden, and as many at random."""
    logits, params = classifier(data)
    arrays, salient, at_random = {"photographs": np.array(list(data.photographs))}, [], []
    for i, (name, pixels) in enumerate(data.photographs.items()):
        image = pixels.astype(np.float32)
        before = maps.probabilities(logits, params, image[None])[0]
        label = int(before.argmax())
        found = maps.saliency(logits, params, image, label)
        by_cell = maps.cells(found, config.cell)
        count = max(1, round(config.share * by_cell.size))
        order = np.argsort(-by_cell.ravel())

        def mask(chosen, shape=by_cell.shape):
            hides = np.zeros(shape, bool)
            hides.ravel()[chosen] = True
            return hides

        choices = [order[:count]]
        for key in keys:
            shuffled = jax.random.permutation(purpose(key, f"cells {name}"), by_cell.size)
            choices.append(np.asarray(shuffled)[:count])
        images = np.stack([maps.hidden(image, mask(c), config.cell) for c in choices])
        after = maps.probabilities(logits, params, images)[:, label]
        lost = 1 - after / before[label]
        salient.append(float(lost[0]))
        at_random.append(lost[1:].tolist())
        arrays |= {f"image_{i}": pixels, f"saliency_{i}": found}
        arrays |= {f"label_{i}": np.array(label), f"sure_{i}": np.array(before[label])}
    lost_random = np.mean(at_random, axis=0)
    metrics = {
        "saliency_lost": float(np.mean(salient)),
        "saliency_lost_random": lost_random.tolist(),
        "saliency_gain": (np.mean(salient) - lost_random).tolist(),
    }
    return Result(metrics, arrays=arrays)


def occlusion(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """The fall of the likeliest class under a grey square, and whether saliency finds the same places."""
    logits, params = classifier(data)
    before = needs["saliency"].arrays
    arrays, falls, found, salient = {}, [], [], []
    for i, pixels in enumerate(data.photographs.values()):
        image, label = pixels.astype(np.float32), int(before[f"label_{i}"])
        fall = maps.occlusion(logits, params, image, label, side=config.square, grid=config.grid)
        falls.append(float(fall.max() / before[f"sure_{i}"]))
        shrunk = resize(before[f"saliency_{i}"].astype(np.float32), (config.grid, config.grid))
        found.append(fall)
        salient.append(shrunk)
        arrays[f"occlusion_{i}"] = fall
    table = np.array([[maps.rank_correlation(a, b) for b in salient] for a in found])
    own = float(np.mean(np.diag(table)))
    others = float(table[~np.eye(len(table), dtype=bool)].mean())
    metrics = {
        "occlusion_falls": float(np.mean(falls)),
        "occlusion_own": own,
        "occlusion_others": others,
        "occlusion_agreement": own - others,
    }
    return Result(metrics, arrays=arrays)


# The small network.


def init_params(key: jax.Array, widths: tuple[int, int], side: tuple[int, int]):
    """He's weights: two 5 x 5 convolutions, each pooled, and a classifier."""
    params, inputs = {}, 1
    for i, width in enumerate(widths):
        shape = (KERNEL, KERNEL, inputs, width)
        scale = (2 / (KERNEL * KERNEL * inputs)) ** 0.5
        kernel = scale * jax.random.normal(purpose(key, f"conv{i + 1}"), shape)
        params[f"conv{i + 1}"] = {"kernel": kernel, "bias": jnp.zeros(width)}
        inputs = width
    features = side[0] // 4 * (side[1] // 4) * inputs
    kernel = features**-0.5 * jax.random.normal(purpose(key, "classes"), (features, CLASSES))
    params["classes"] = {"kernel": kernel, "bias": jnp.zeros(CLASSES)}
    return params


def parts_of(params) -> tuple[list[jax.Array], list[jax.Array]]:
    """The convolutions' kernels and biases, in order."""
    convs = [params["conv1"], params["conv2"]]
    return [c["kernel"] for c in convs], [c["bias"] for c in convs]


def digits_logits(params, images: jax.Array) -> jax.Array:
    """uint8 or float `[n, h, w, 1]` in 0..255 -> `[n, 10]`."""
    x = images.astype(jnp.float32) / 255
    for kernel, bias in zip(*parts_of(params), strict=True):
        # Without switches: a maximum of reshaped windows, whose gradient is fast.
        a = jax.nn.relu(convolve(x, kernel) + bias.reshape(1, 1, 1, -1))
        n, h, w, c = a.shape
        x = a.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
    return x.reshape(len(x), -1) @ params["classes"]["kernel"] + params["classes"]["bias"].reshape(
        1, -1
    )


def deconvnet(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """The nine strongest activations of each map: their patches, and their projections to the pixels."""
    images, labels = data.train
    tests, answers = data.test
    tx = optax.adam(config.learning_rate)

    def loss(params, minibatch, key):
        del key
        x, y = minibatch
        logits = digits_logits(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), {}

    update = supervised(loss, tx)

    def init(key):
        return init_state(init_params(key, config.widths, images.shape[1:3]), tx)

    def step(state, arrays, key, t):
        i = shuffled_indices(key, t, size=len(images), batch=config.batch)
        return update(state, (arrays[0][i], arrays[1][i]), key)

    start = initialise(init, keys, conv=True)
    trained = train(
        "digits",
        start,
        step,
        keys,
        (jnp.asarray(images), jnp.asarray(labels)),
        steps=config.steps,
        every=config.every,
        watch=watch,
        conv=True,
    )
    metrics: dict[str, list[float]] = {}
    arrays: dict[str, np.ndarray] = {}
    for i, key in enumerate(keys):
        params = member(trained.state.params, i)
        said = np.asarray(jax.jit(digits_logits)(params, jnp.asarray(tests)).argmax(axis=1))
        found = studied(config, params, tests, purpose(key, "places"))
        blank = studied(config, member(start.params, i), tests, purpose(key, "places again"))
        row = found.metrics | {"net_accuracy": float(np.mean(said == answers))}
        for name in ("patches_alike", "projection_own"):
            row[f"{name}_untrained"] = blank.metrics[name]
        row["patches_learned"] = row["patches_alike"] - row["patches_alike_untrained"]
        for name, number in row.items():
            metrics.setdefault(name, []).append(number)
        arrays = arrays or found.arrays
    return Result(metrics, {"digits": trained.history}, arrays)


class Studied(NamedTuple):
    """Of one network's second layer."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray]


def studied(config: Config, params, tests: np.ndarray, key: jax.Array) -> Studied:
    """Every map of the second layer: how alike its patches are, and how like them their projections."""
    kernels, biases = parts_of(params)
    x = jnp.asarray(tests, jnp.float32) / 255
    layers = jax.jit(forward)(kernels, biases, x)
    alike, random, likeness = [], [], {"deconvnet": [], "gradient": []}
    others, differs, arrays = [], [], {}
    rng = np.random.default_rng(int(jax.random.randint(key, (), 0, 2**31 - 1)))
    strongest_map = np.argsort(-np.asarray(layers[1].activations.max(axis=(0, 1, 2))))
    for channel in range(config.widths[1]):
        chosen, signal = strongest(layers[1].activations, channel, config.top)
        if float(signal.max()) <= 0:
            continue  # a map that nothing excites
        mine = [jax.tree.map(lambda a, c=chosen: a[c], layer) for layer in layers]
        projected = {rule: np.asarray(backward(kernels, mine, signal, rule)) for rule in likeness}
        differs.append(gradient_gap(kernels, biases, x[chosen], signal, projected["gradient"]))
        seen, places = np.asarray(x[chosen])[..., 0], centres(np.asarray(signal))
        patches = [cut(image, place) for image, place in zip(seen, places, strict=True)]
        elsewhere = [cut(image, tuple(rng.integers(0, n) for n in image.shape)) for image in seen]
        alike.append(mean_cosine(patches))
        random.append(mean_cosine(elsewhere))
        for rule, back in projected.items():
            own = [cut(b[..., 0], place) for b, place in zip(back, places, strict=True)]
            table = np.array([[correlation(a, b) for b in patches] for a in own])
            likeness[rule].append(float(np.mean(np.diag(table))))
            if rule == "deconvnet":
                others.append(float(table[~np.eye(len(table), dtype=bool)].mean()))
        if channel in strongest_map[:SHOWN]:
            n = len(arrays) // 2
            arrays[f"patches_{n}"] = np.stack(patches)
            arrays[f"projected_{n}"] = np.stack(
                [
                    cut(b[..., 0], place)
                    for b, place in zip(projected["deconvnet"], places, strict=True)
                ]
            )
    metrics = {
        "patches_alike": float(np.mean(alike) - np.mean(random)),
        "projection_deconvnet": float(np.mean(likeness["deconvnet"])),
        "projection_gradient": float(np.mean(likeness["gradient"])),
        "projection_own": float(np.mean(likeness["deconvnet"]) - np.mean(others)),
        "gradient_differs": float(np.max(differs)),
    }
    return Studied(metrics, arrays)


@jax.jit
def _by_autodiff(kernels, biases, x, signal):
    def second(x):
        kernel, bias = kernels[0], biases[0].reshape(1, 1, 1, -1)
        pooled, _ = pool(jax.nn.relu(convolve(x, kernel) + bias))
        a = jax.nn.relu(convolve(pooled, kernels[1]) + biases[1].reshape(1, 1, 1, -1))
        return jnp.sum(a * signal)

    return jax.grad(second)(x)


def gradient_gap(kernels, biases, x, signal, ours: np.ndarray) -> float:
    """The largest difference of our gradient from JAX's, of its largest entry."""
    theirs = np.asarray(_by_autodiff(kernels, biases, x, signal))
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))


REACH = KERNEL // 2 + 2 * (KERNEL // 2) + 1
"""Pixels that an activation of the second layer sees on each side of its place."""


def centres(signal: np.ndarray) -> list[tuple[int, int]]:
    """Where each signal `[n, h, w, d]` has its one activation, in pixels of the image."""
    n, h, w, _ = signal.shape
    flat = signal.max(axis=-1).reshape(n, h * w).argmax(axis=1)
    return [(int(2 * (p // w)), int(2 * (p % w))) for p in flat]


def cut(image: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """The square about `place` that an activation sees, zeros beyond the border."""
    padded = np.pad(image, REACH)
    y, x = place
    return padded[y : y + 2 * REACH + 1, x : x + 2 * REACH + 1]


def mean_cosine(patches: Sequence[np.ndarray]) -> float:
    """Of all pairs."""
    flat = np.stack([p.ravel() for p in patches]).astype(np.float64)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    table = flat @ flat.T
    return float(table[~np.eye(len(table), dtype=bool)].mean())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 if one is constant."""
    a, b = (x.ravel() - x.mean() for x in (a.astype(np.float64), b.astype(np.float64)))
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


PARTS = {"saliency": saliency, "occlusion": occlusion, "deconvnet": deconvnet}
