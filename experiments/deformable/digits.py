"""Scaled and turned digits: which network copes with them, and what that costs."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deformable.config import Config
from experiments.deformable.data import Data
from experiments.deformable.learning import Schedule, Task, count, fastest, fresh, learn, trial_of
from lib.batches.indices import shuffled_indices
from lib.data.catalogue import find
from lib.data.dataset import parse_split
from lib.models.deformable import DigitClassifier, deform
from lib.ops.sampling import bilinear
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch

SHAPE = (1, 28, 28, 1)
AT_ONCE = 1000
"""Images in one compiled forward pass, and that statistics are taken over."""


def make_nets(widths: tuple[int, ...]) -> dict[str, DigitClassifier]:
    """The networks that are compared."""
    plain = DigitClassifier(widths)
    return {
        "plain": plain,
        "atrous_2": plain.clone(dilation=2),
        "atrous_4": plain.clone(dilation=4),
        "atrous_6": plain.clone(dilation=6),
        "transformer": plain.clone(transformed=True),
        "filter": plain.clone(filtered=True),
        "active": deform(plain, 3).clone(everywhere=True),
        **{f"deformable_{last}": deform(plain, last) for last in (1, 2, 3)},
    }


class Change(NamedTuple):
    """How digits are changed: the most of each, drawn evenly.

    Attributes:
      shrink: along either axis, independently (1: not at all).
      shift: up, down, left and right, in shares of the side.
      turn: either way, in radians.
    """

    shrink: float = 1.0
    shift: float = 0.0
    turn: float = 0.0


CHANGES = {
    "plain": Change(),
    "scaled": Change(shrink=2.5, shift=0.2),
    "turned": Change(turn=np.pi / 2),
}
"""As they are; as in the demonstration (Lau 2017); the "R" of Jaderberg et al. (2015)."""


@jax.jit
def changed(images: jax.Array, key: jax.Array, change: Change) -> jax.Array:
    """uint8 `[n, h, w]` -> float32 `[n, h, w, 1]` in 0..1, each changed in its own way about the middle."""
    n, h, w = images.shape
    keys = jax.random.split(key, 3)
    shrink = jax.random.uniform(keys[0], (n, 2), minval=1.0, maxval=change.shrink)
    shift = change.shift * jax.random.uniform(keys[1], (n, 2), minval=-1.0, maxval=1.0)
    angle = change.turn * jax.random.uniform(keys[2], (n,), minval=-1.0, maxval=1.0)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    matrices = jnp.stack([cos, -sin, sin, cos], axis=-1).reshape(n, 2, 2) * shrink[:, None]
    sides = jnp.array([h, w], jnp.float32)
    pixels = jnp.stack(jnp.meshgrid(jnp.arange(h), jnp.arange(w), indexing="ij"), axis=-1)
    middle = ((sides - 1) / 2).reshape(1, 1, 1, 2)
    centred = pixels[None] - middle - (shift * sides[None])[:, None, None]
    points = jnp.einsum("nij,nhwj->nhwi", matrices, centred) + middle
    return bilinear(images[..., None].astype(jnp.float32) / 255, points)


def held_out(change: str, images: np.ndarray) -> jax.Array:
    """Validation or test images, changed: the same for every arm, seed and run."""
    key = purpose(jax.random.key(0), f"held out {change}")
    parts = [images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE)]
    return jnp.concatenate(
        [
            changed(jnp.asarray(part), jax.random.fold_in(key, i), CHANGES[change])
            for i, part in enumerate(parts)
        ]
    )


@functools.lru_cache(maxsize=32)
def _statistics(net: DigitClassifier):
    """`statistics(params, images)`: what normalises, of these images."""
    return jax.jit(
        lambda params, x: net.apply({"params": params}, x, train=True, mutable=["batch_stats"])[1][
            "batch_stats"
        ]
    )


@functools.lru_cache(maxsize=32)
def _classes(net: DigitClassifier):
    return jax.jit(
        lambda params, statistics, x: net.apply(
            {"params": params, "batch_stats": statistics}, x
        ).argmax(axis=1)
    )


def accuracy(net, params, statistics, images: jax.Array, labels: np.ndarray) -> float:
    """The share of images whose class is right, in percent."""
    right = 0
    for start in range(0, len(images), AT_ONCE):
        names = _classes(net)(params, statistics, images[start : start + AT_ONCE])
        right += int((np.asarray(names) == labels[start : start + AT_ONCE]).sum())
    return 100 * right / len(images)


@functools.cache
def make_draw(batch: int) -> Callable:
    """The t-th minibatch of (images, labels, change): digits changed anew every time."""

    def draw(data, key, t):
        images, labels, change = data
        order, how = (purpose(key, what) for what in ("order", "change"))
        i = shuffled_indices(order, t, size=len(images), batch=batch)
        return changed(images[i], jax.random.fold_in(how, t), change), labels[i]

    return draw


def cross_entropy(net: DigitClassifier, params, batch) -> jax.Array:
    """Mean over a minibatch, normalised by its own statistics."""
    x, labels = batch
    logits, _ = net.apply({"params": params}, x, train=True, mutable=["batch_stats"])
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def make_task(config: Config, data: Data, change: str) -> Task:
    """Naming changed digits."""
    valid, known = held_out(change, data.valid), statistics_of(data, change)

    def score(net, params):
        return accuracy(net, params, known(net, params), valid, data.valid_labels)

    arrays = jnp.asarray(data.train), jnp.asarray(data.train_labels), CHANGES[change]
    return Task(arrays, make_draw(config.digits.batch), cross_entropy, score)


def statistics_of(data: Data, change: str) -> Callable:
    """`statistics(net, params)`, of training images changed by `change`."""
    images = held_out(change, data.train[:AT_ONCE])
    return lambda net, params: _statistics(net)(params, images)


def schedule(config: Config, steps: int) -> Schedule:
    rates, trial = config.digits.rates, trial_of(steps)
    return Schedule(steps, rates, trial, config.every, config.branch_rate)


def compare(
    change: str, arms: tuple[str, ...], config: Config, keys: jax.Array, data: Data, watch: Watch
) -> Result:
    """Every arm from the same weights on the same images; accuracy on test images, in percent."""
    nets, task = make_nets(config.digits.widths), make_task(config, data, change)
    test, known = held_out(change, data.test), statistics_of(data, change)
    metrics, history = {}, {}
    for arm in arms:
        net = nets[arm]
        params = fresh(net, keys, *SHAPE)
        ended = learn(
            f"{change}-{arm}", net, params, task, keys, watch, schedule(config, config.digits.steps)
        )
        reached = [accuracy(net, p, known(net, p), test, data.test_labels) for p in ended.params]
        metrics[f"{change}_{arm}"] = reached
        metrics[f"{change}_rate_{arm}"] = ended.rates
        history |= ended.history
    metrics |= comparisons(change, {arm: metrics[f"{change}_{arm}"] for arm in arms})
    arrays = {f"{change}_shown": np.asarray(test[:12, :, :, 0])}
    return Result(metrics, history, arrays)


def comparisons(change: str, accuracies: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """What the arms' accuracies, in percent, say of one another, seed by seed."""
    metrics = {}
    for arm, reached in accuracies.items():
        pairs = zip(reached, accuracies["plain"], strict=True)
        removed = [(ours - theirs) / max(100 - theirs, 1e-9) for ours, theirs in pairs]
        metrics[f"{change}_removed_{arm}"] = removed
    if "deformable_3" not in accuracies:
        return metrics
    best = accuracies["deformable_3"]
    if atrous := [reached for arm, reached in accuracies.items() if arm.startswith("atrous")]:
        pairs = zip(best, *atrous, strict=True)
        metrics[f"{change}_over_atrous"] = [ours - max(theirs) for ours, *theirs in pairs]
    if "transformer" in accuracies:
        pairs = zip(best, accuracies["transformer"], strict=True)
        metrics[f"{change}_over_transformer"] = [ours - theirs for ours, theirs in pairs]
    return metrics


def _differences(metrics: Mapping, one: str, other: str) -> list[float]:
    return [a - b for a, b in zip(metrics[one], metrics[other], strict=True)]


def costs(config: Config) -> dict[str, float]:
    """Parameters of each network, and the seconds it takes to name 1 000 digits (the fastest of five).

    Where fewer are scored, of those.
    """
    scored = parse_split(config.test_split, find(config.dataset).sizes)[1]
    digits = min(AT_ONCE, scored.stop - scored.start)
    images, metrics = jnp.zeros((digits, *SHAPE[1:])), {}
    for arm in config.digits.arms:
        net = make_nets(config.digits.widths)[arm]
        variables = jax.jit(net.init)(jax.random.key(0), images[:1])
        params, statistics = variables["params"], variables["batch_stats"]
        metrics[f"parameters_{arm}"] = count(net, *SHAPE)
        metrics[f"seconds_{arm}"] = fastest(
            lambda net=net, p=params, s=statistics: _classes(net)(p, s, images)
        )
    if {"transformer", "deformable_3"} <= set(config.digits.arms):
        for name, of in (("parameter_ratio", "parameters"), ("seconds_ratio", "seconds")):
            metrics[name] = metrics[f"{of}_deformable_3"] / metrics[f"{of}_transformer"]
    return metrics


def scaled_digits(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """All arms on scaled digits."""
    return compare("scaled", config.digits.arms, config, keys, data, watch)


def turned_digits(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Those that change where they look, and the plain one, on turned digits."""
    arms = tuple(a for a in config.digits.arms if a in ("plain", "transformer", "deformable_3"))
    return compare("turned", arms, config, keys, data, watch)


TUNED = {
    "offsets": lambda path: "offset" in path,
    "norms": lambda path: path.startswith("norm"),
    "both": lambda path: "offset" in path or path.startswith("norm"),
}
"""What is trained on scaled digits after everything else was on plain ones."""


def fine_tuning(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """The published demonstration: trained on plain digits, then only the offsets on scaled ones.

    There normalisation adapted as well. Here each is also tuned alone, and "statistics" tunes nothing, and
    only normalises by what scaled digits have.
    """
    nets = make_nets(config.digits.widths)
    net, deformed = nets["plain"], nets["deformable_3"]
    before = learn(
        "plain-digits",
        net,
        fresh(net, keys, *SHAPE),
        make_task(config, data, "plain"),
        keys,
        watch,
        schedule(config, config.digits.steps),
    )
    task, test = make_task(config, data, "scaled"), held_out("scaled", data.test)
    of_plain, of_scaled = statistics_of(data, "plain"), statistics_of(data, "scaled")

    def tested(net, params, statistics, images):
        return [accuracy(net, p, statistics(net, p), images, data.test_labels) for p in params]

    metrics = {
        "tuned_before_plain": tested(net, before.params, of_plain, held_out("plain", data.test)),
        "tuned_before": tested(net, before.params, of_plain, test),
        "tuned_statistics": tested(net, before.params, of_scaled, test),
    }
    history = dict(before.history)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *before.params)
    start = with_layers(fresh(deformed, keys, *SHAPE), stacked)
    for what, learns in TUNED.items():
        ended = learn(
            f"tuned-{what}",
            *(deformed, start, task, keys, watch),
            schedule(config, config.digits.tuning_steps),
            learns,
        )
        metrics[f"tuned_{what}"] = tested(deformed, ended.params, of_scaled, test)
        history |= ended.history
    metrics["tuned_gain"] = _differences(metrics, "tuned_both", "tuned_before")
    by_offsets = _differences(metrics, "tuned_both", "tuned_norms")
    pairs = zip(by_offsets, metrics["tuned_gain"], strict=True)
    # Where nothing is gained, nothing of it is due to anything.
    metrics["tuned_share_of_offsets"] = [part / all if all > 0 else 0.0 for part, all in pairs]
    return Result(metrics, history)


def with_layers(params: Mapping, trained: Mapping) -> dict:
    """`params` with every array that `trained` has too taken from there."""
    return {
        name: with_layers(value, trained[name])
        if isinstance(value, Mapping) and name in trained
        else trained.get(name, value)
        for name, value in params.items()
    }
