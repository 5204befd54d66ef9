"""Zeiler's Figure 2 on digits: what excites each map most, and what a DeConvNet shows of it."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.visualisation.config import Config
from experiments.visualisation.data import Data
from experiments.visualisation.deconvnet import backward, convolve, forward, pool, strongest
from experiments.visualisation.digits import KERNEL, digits_logits, init_params, parts_of
from lib.batches.indices import shuffled_indices
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

SHOWN = 3
"""Maps in the figure."""


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
        study = studied(config, params, tests, purpose(key, "places"))
        blank = studied(config, member(start.params, i), tests, purpose(key, "places again"))
        row = study.metrics | {"net_accuracy": float(np.mean(said == answers))}
        for name in ("patches_alike", "projection_own"):
            row[f"{name}_untrained"] = blank.metrics[name]
        row["patches_learned"] = row["patches_alike"] - row["patches_alike_untrained"]
        for name, number in row.items():
            metrics.setdefault(name, []).append(number)
        arrays = arrays or study.arrays
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
