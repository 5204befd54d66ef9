"""Scaled and turned digits: which network copes with them, and what that costs."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deformable.config import Config
from experiments.deformable.data import Data
from experiments.deformable.learning import Schedule, Task, count, fastest, fresh, learn
from lib.data.batches import shuffled_indices
from lib.models.deformable import DigitClassifier, deform
from lib.ops.sampling import bilinear
from lib.run.keys import purpose
from lib.run.loop import member
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
        **{f"deformable_{last}": deform(plain, last) for last in (1, 2, 3)},
    }


def scaled(images: jax.Array, key: jax.Array) -> jax.Array:
    """Shrunk along both axes independently by 1 to 2.5, shifted by up to a fifth of the side (Lau 2017).

    uint8 `[n, h, w]` -> float32 `[n, h, w, 1]` in 0..1.
    """
    shrink_key, shift_key = jax.random.split(key)
    shrink = jax.random.uniform(shrink_key, (len(images), 2), minval=1.0, maxval=2.5)
    shift = jax.random.uniform(shift_key, (len(images), 2), minval=-0.2, maxval=0.2)
    return warp(images, shrink[:, :, None] * jnp.eye(2)[None], shift)


def turned(images: jax.Array, key: jax.Array) -> jax.Array:
    """Turned about the middle by up to 90 degrees either way (the "R" of Jaderberg et al. 2015)."""
    angle = jax.random.uniform(key, (len(images),), minval=-jnp.pi / 2, maxval=jnp.pi / 2)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return warp(images, jnp.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2))


def plain(images: jax.Array, key: jax.Array) -> jax.Array:
    """As they are."""
    del key
    return images[..., None].astype(jnp.float32) / 255


def warp(images: jax.Array, matrices: jax.Array, shift: jax.Array | None = None) -> jax.Array:
    """Images read at `matrix (p - middle - shift) + middle`; `shift` in shares of the sides."""
    n, h, w = images.shape
    sides = jnp.array([h, w], jnp.float32)
    pixels = jnp.stack(jnp.meshgrid(jnp.arange(h), jnp.arange(w), indexing="ij"), axis=-1)
    middle = ((sides - 1) / 2).reshape(1, 1, 1, 2)
    centred = pixels[None] - middle
    if shift is not None:
        centred = centred - (shift * sides[None])[:, None, None]
    points = (
        jnp.einsum("nij,nhwj->nhwi", matrices, jnp.broadcast_to(centred, (n, h, w, 2))) + middle
    )
    return bilinear(images[..., None].astype(jnp.float32) / 255, points)


CHANGES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "scaled": scaled,
    "turned": turned,
    "plain": plain,
}


@functools.cache
def _changed(change: str):
    return jax.jit(CHANGES[change])


def held_out(change: str, images: np.ndarray) -> jax.Array:
    """Validation or test images, changed: the same for every arm, seed and run."""
    return _changed(change)(jnp.asarray(images), purpose(jax.random.key(0), f"held out {change}"))


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


def make_task(config: Config, data: Data, change: str) -> Task:
    """Naming digits that `change` has changed, anew at every update."""
    batch = config.digits.batch
    valid = held_out(change, data.valid)
    known = statistics_of(data, change)

    def draw(arrays, key, t):
        images, labels = arrays
        order, how = (purpose(key, what) for what in ("order", "change"))
        i = shuffled_indices(order, t, size=len(images), batch=batch)
        return CHANGES[change](images[i], jax.random.fold_in(how, t)), labels[i]

    def loss(net, params, batch):
        x, labels = batch
        logits, _ = net.apply({"params": params}, x, train=True, mutable=["batch_stats"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def score(net, params):
        return accuracy(net, params, known(net, params), valid, data.valid_labels)

    arrays = jnp.asarray(data.train), jnp.asarray(data.train_labels)
    return Task(arrays, draw, loss, score)


def statistics_of(data: Data, change: str) -> Callable:
    """`statistics(net, params)`, of training images changed by `change`."""
    images = held_out(change, data.train[:AT_ONCE])
    return lambda net, params: _statistics(net)(params, images)


def schedule(config: Config, steps: int) -> Schedule:
    return Schedule(steps, config.digits.rates, config.every)


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
        metrics[f"{change}_parameters_{arm}"] = count(net, *SHAPE)
        metrics[f"seconds_{change}_{arm}"] = forward_seconds(net, params, task)
        history |= ended.history
    metrics |= comparisons(change, metrics)
    arrays = {f"{change}_shown": np.asarray(test[:12, :, :, 0])}
    return Result(metrics, history, arrays)


def comparisons(change: str, metrics: Mapping) -> dict:
    """What the arms' accuracies say of one another, seed by seed, and what they cost."""
    found = {}
    plain = metrics[f"{change}_plain"]
    arms = [name.removeprefix(f"seconds_{change}_") for name in metrics if "seconds_" in name]
    for arm in arms:
        pairs = zip(metrics[f"{change}_{arm}"], plain, strict=True)
        removed = [(ours - theirs) / max(100 - theirs, 1e-9) for ours, theirs in pairs]
        found[f"{change}_removed_{arm}"] = removed
    if "deformable_3" not in arms:
        return found
    best = f"{change}_deformable_3"
    if atrous := [metrics[f"{change}_{arm}"] for arm in arms if arm.startswith("atrous")]:
        pairs = zip(metrics[best], *atrous, strict=True)
        found[f"{change}_over_atrous"] = [ours - max(theirs) for ours, *theirs in pairs]
    if "transformer" in arms:
        found[f"{change}_over_transformer"] = _differences(metrics, best, f"{change}_transformer")
        for name, of_arm in (
            (f"{change}_parameter_ratio", f"{change}_parameters_"),
            (f"seconds_{change}_ratio", f"seconds_{change}_"),
        ):
            found[name] = metrics[f"{of_arm}deformable_3"] / metrics[f"{of_arm}transformer"]
    return found


def _differences(metrics: Mapping, one: str, other: str) -> list[float]:
    return [a - b for a, b in zip(metrics[one], metrics[other], strict=True)]


def forward_seconds(net: DigitClassifier, params, task: Task) -> float:
    """Of classifying 1 000 digits: the fastest of five."""
    images = CHANGES["plain"](task.data[0][:AT_ONCE], None)
    params = member(params, 0)
    statistics = _statistics(net)(params, images)
    return fastest(lambda: _classes(net)(params, statistics, images))


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
