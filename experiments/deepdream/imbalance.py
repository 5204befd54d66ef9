"""Why dogs, measured: small networks whose training sets are balanced or favour a class, and their dreams."""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deepdream.config import Config
from experiments.deepdream.goals import energy, make_objective
from experiments.deepdream.network import entropy
from experiments.deepdream.octaves import Settings, as_data, make_climb
from lib.batches.indices import shuffled_indices
from lib.nn.conv import Conv
from lib.nn.pooling import max_pool
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

CLASSES = 10
BATCH, LEARNING_RATE = 64, 1e-3
LAYER = "hidden"
"""The layer that is dreamt of: the last before the classes."""
DREAM = Settings(octaves=1, iterations=40, step=6.0, jitter=2, coarse=1.0)
"""So that the judge names half of a balanced network's dreams otherwise than the digits they began as:
chosen on seeds 100 to 102, without a network that favours a class."""


class Small(nn.Module):
    """Two convolutions and a hidden layer: images in 0..255, `[n, h, w, 1]` -> hidden `[n, 64]`, logits."""

    @nn.compact
    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        x = x / 255
        for i, width in enumerate((16, 32)):
            x = nn.relu(Conv(width, (3, 3), name=f"conv{i + 1}")(x))
            x = max_pool(x, 2, 2)
        hidden = nn.relu(nn.Dense(64, name=LAYER)(x.reshape(len(x), -1)))
        return {LAYER: hidden, "logits": nn.Dense(CLASSES, name="classes")(hidden)}


NET = Small()


def chosen(labels: np.ndarray, count: int, favoured: int | None, excess: int, seed: int):
    """Indices of `count` examples, each class alike, or the favoured one `excess` times as often.

    A class with too few examples gives them repeatedly.
    """
    weights = np.ones(CLASSES)
    if favoured is not None:
        weights[favoured] = excess
    each = np.floor(count * weights / weights.sum()).astype(int)
    each[favoured or 0] += count - each.sum()
    rng = np.random.default_rng(seed)
    picked = []
    for label, n in enumerate(each):
        own = rng.permutation(np.flatnonzero(labels == label))
        picked.append(np.resize(own, n))
    return np.concatenate(picked)


@functools.lru_cache
def rule() -> Callable:
    """The training step: Adam on the cross-entropy."""

    def loss(params, batch, key):
        del key
        x, labels = batch
        logits = NET.apply({"params": params}, x)["logits"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), {}

    update = supervised(loss, optax.adam(LEARNING_RATE))

    def step(state, data, key, t):
        images, labels = data
        i = shuffled_indices(key, t, size=len(images), batch=min(BATCH, len(images)))
        return update(state, (images[i].astype(jnp.float32), labels[i]), key)

    return step


@functools.lru_cache
def features() -> Callable:
    """For dreams of one image `[h, w, 1]`."""

    def of_image(params, image, taps):
        tapped = NET.apply({"params": params}, image[None])
        return {tap: tapped[tap][0] for tap in taps}

    return of_image


def small_dreams(params, key: jax.Array, images: jax.Array) -> np.ndarray:
    """A dream on each of `images`, float32 `[n, h, w, 1]` in 0..255."""
    data = (params, energy(LAYER), jnp.zeros((1, 1, 1)))
    keys = jax.random.split(purpose(key, "small dreams"), len(images))
    return np.asarray(_climb()(images, data, as_data(DREAM), keys)[0])


def told_apart(named: np.ndarray) -> float:
    """How many classes the judge names, by exp(entropy) of their shares: 1 to 10."""
    return math.exp(entropy(np.bincount(named, minlength=CLASSES) / len(named)))


@functools.lru_cache
def _climb() -> Callable:
    """Many dreams at once, one program."""
    return jax.jit(jax.vmap(make_climb(make_objective(features())), (0, None, None, 0)))


@functools.lru_cache
def _classify() -> Callable:
    return jax.jit(lambda params, x: NET.apply({"params": params}, x)["logits"].argmax(axis=1))


def imbalance(config: Config, keys: jax.Array, data, watch: Watch, needs) -> Result:
    """A balanced network and one for each favoured class; another, balanced, judges their dreams.

    All of a seed begin with the same weights, see as many examples, and dream on the same test images.
    """
    train_set, test_set = data.small
    images = np.asarray(train_set.arrays["image"])[..., None]
    labels = np.asarray(train_set.arrays["label"])
    shape, count = images.shape[1:3], config.small_examples
    tx = optax.adam(LEARNING_RATE)

    def trained(name: str, favoured: int | None, start: str, draw: int):
        def init(key):
            first = jnp.zeros((1, *shape, 1))
            return init_state(NET.init(purpose(key, start), first)["params"], tx)

        rows = chosen(labels, count, favoured, config.excess, draw)
        inputs = (jnp.asarray(images[rows]), jnp.asarray(labels[rows]))
        settings = {"steps": config.small_steps, "every": min(100, config.small_steps)}
        state = initialise(init, keys, conv=True)
        return train(name, state, rule(), keys, inputs, watch=watch, conv=True, **settings)

    judge = trained("small-judge", None, "judge", 1)
    nets = {"balanced": trained("small-balanced", None, "small", 0)}
    for c in config.favoured:
        nets[f"favours {c}"] = trained(f"small-favours-{c}", c, "small", 0)
    tests = jnp.asarray(test_set.arrays["image"][..., None]).astype(jnp.float32)
    answers = np.asarray(test_set.arrays["label"])

    def accuracy(state) -> float:
        return float(np.mean(np.asarray(_classify()(state.params, tests)) == answers))

    begins = tests[: config.small_dreams]
    accuracies, shares, apart, changed = [], [], [], []
    shown = {"small_begins": begins[:12, :, :, 0]}
    for i, key in enumerate(keys):
        judging = member(judge.state, i)
        accuracies.append([accuracy(judging)])

        def judged(x, params=judging.params) -> np.ndarray:
            return np.asarray(_classify()(params, jnp.asarray(x)))

        share = {}
        for name, net in nets.items():
            state = member(net.state, i)
            accuracies[-1].append(accuracy(state))
            dreamt = small_dreams(state.params, key, begins)
            named = judged(dreamt)
            share[name] = np.bincount(named, minlength=CLASSES) / len(named)
            if name == "balanced":
                apart.append(told_apart(named))
                changed.append(float(np.mean(named != judged(begins))))
            if i == 0:
                shown[f"small_dreams_{len(share) - 1}"] = dreamt[:12, :, :, 0]
        shares.append(share)
    of_favoured = np.array([[s[f"favours {c}"][c] for c in config.favoured] for s in shares])
    of_balanced = np.array([[s["balanced"][c] for c in config.favoured] for s in shares])
    metrics = {
        "favoured_share": of_favoured.mean(axis=1).tolist(),
        "favoured_share_balanced": of_balanced.mean(axis=1).tolist(),
        "favoured_gain": (of_favoured - of_balanced).mean(axis=1).tolist(),
        "small_accuracy_least": [min(a) for a in accuracies],
        "small_told_apart": apart,
        "small_changed": changed,
    }
    arrays = {
        **{name: np.asarray(sheet).astype(np.uint8) for name, sheet in shown.items()},
        "small_nets": np.array(list(nets)),
        "small_shares": np.array([[s[name] for name in nets] for s in shares]),
    }
    history = {"small-balanced": nets["balanced"].history}
    return Result(metrics, history, arrays)
