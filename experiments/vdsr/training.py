"""How a VDSR is trained and used; the table's network and every analysis share it."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.vdsr.config import SCALES, Config
from lib.batches.indices import shuffled_indices
from lib.batches.super_resolution import Patches, pair, patches, take
from lib.models.super_resolution import VDSR
from lib.run.keys import purpose
from lib.run.loop import Trained, initialise, member, train
from lib.run.precision import dtype_of
from lib.run.watch import Watch
from lib.steps.optimizers import adjustable_clipping, spectral_muon
from lib.steps.supervised import init_state, supervised

Params = dict
WARM_UP = 20
"""The cosine schedule's learning rate rises for one update in so many."""
MUON_BIASES = 0.02
"""The biases' learning rate (Adam's) under Muon, as a fraction of the kernels'."""


class Course(NamedTuple):
    """What is trained on, how long and how fast: courses of equally many patches share one compiled step.

    Attributes:
      patches: of all training scales together.
      steps: updates in all, int32 []; learning_rate: at the start, float32 [].
    """

    patches: Patches
    steps: jax.Array
    learning_rate: jax.Array


def make_course(patches: Patches, steps: int, learning_rate: float) -> Course:
    """A course of `steps` updates."""
    return Course(patches, jnp.int32(steps), jnp.float32(learning_rate))


def make_patches(config: Config, images: Sequence[np.ndarray]) -> Patches:
    """Patches without overlap of the pairs of every image at every scale: the first scale's first."""
    pairs = (pair(image, scale) for scale in SCALES for image in images)
    return patches(pairs, size=config.patch, stride=config.patch)


def of_scales(data: Patches, scales: Sequence[int]) -> Patches:
    """Those of `make_patches` that are of `scales`, repeated to as many as there are of all.

    Equal numbers let networks for different scales share one compiled step.
    """
    scale = np.asarray(SCALES)[np.asarray(data.corners[:, 0]) // (len(data.truth) // len(SCALES))]
    chosen = np.asarray(data.corners)[np.isin(scale, scales)]
    return data._replace(corners=jnp.asarray(np.resize(chosen, data.corners.shape)))


def learning_rate(config: Config, course: Course, t: jax.Array) -> jax.Array:
    """Section 4.1: at update `t`, divided by 10 after each but the last of `stages` equal parts.

    Or, as `config.schedule` may say, rising shortly and falling to zero along a cosine.
    """
    if config.schedule == "cosine":
        warm = jnp.maximum(1, course.steps // WARM_UP)
        done = jnp.maximum(0, t + 1 - warm) / jnp.maximum(1, course.steps - warm)
        scale = jnp.minimum((t + 1) / warm, (1 + jnp.cos(jnp.pi * done)) / 2)
    else:
        scale = 10.0 ** -(t * config.stages // course.steps)
    return course.learning_rate * scale


def make_optimiser(config: Config, rate: jax.Array) -> optax.GradientTransformation:
    """Section 3.2: SGD with momentum and weight decay, at the learning rate of the moment.

    The gradient of the loss is clipped first: neither the decay nor the momentum is.
    """
    if config.optimiser == "muon":
        return spectral_muon(rate, MUON_BIASES * rate)

    def kernels(params):
        return jax.tree.map(lambda p: p.ndim > 1, params)

    return optax.chain(
        adjustable_clipping(rate, config.clip),
        optax.add_decayed_weights(config.weight_decay, kernels),
        optax.trace(config.momentum),
        optax.scale_by_learning_rate(rate),
    )


def loss_of(net: VDSR) -> Callable:
    """1/2 ||r - f(x)||^2, summed over a patch's pixels, the mean over patches; and the error a pixel."""

    def loss(params, batch, key):
        del key
        bicubic, truth = batch
        error = jnp.square(net.apply({"params": params}, bicubic) - truth)
        return error.sum(axis=(1, 2, 3)).mean() / 2, {"mse": error.mean()}

    return loss


@functools.lru_cache
def make_init(config: Config, net: VDSR) -> Callable:
    """The state to start from, of a key; the same function for the same arguments, compiled once."""

    def init(key):
        params = net.init(purpose(key, "init"), jnp.zeros((1, 8, 8, 1)))["params"]
        if config.initialiser == "zero":
            params = starting_at_bicubic(params)
        # The optimiser's state does not depend on the learning rate.
        return init_state(params, make_optimiser(config, jnp.float32(config.learning_rate)))

    return init


@functools.lru_cache
def make_step(config: Config, net: VDSR) -> Callable:
    """One update on a minibatch of a `Course`; the same function for the same arguments."""
    loss = loss_of(net)

    def step(state, course, key, t):
        batch = minibatch(config, course.patches, key, t)
        tx = make_optimiser(config, learning_rate(config, course, t))
        return supervised(loss, tx)(state, batch, key)

    return step


def minibatch(config: Config, data: Patches, key: jax.Array, t: jax.Array):
    """`(bicubic, truth)` of the t-th minibatch: every patch once an epoch, turned at random."""
    order, symmetry_key = (purpose(key, what) for what in ("patches", "symmetries"))
    indices = shuffled_indices(order, t, size=len(data.corners), batch=config.batch)
    symmetries = None
    if config.augment:
        key = jax.random.fold_in(symmetry_key, t)
        symmetries = jax.random.randint(key, (config.batch,), 0, 8)
    return take(data, indices, config.patch, symmetries)


def train_network(
    name: str,
    config: Config,
    data: Patches,
    keys: jax.Array,
    watch: Watch,
    *,
    steps: int,
    depth: int,
    width: int,
    residual: bool = True,
    first_rate: float | None = None,
    every: int | None = None,
    score: Callable[[Params], dict[str, float]] | None = None,
) -> Trained:
    """One VDSR a key.

    Args:
      first_rate: the learning rate at the start; `config`'s if None.
      every: updates between two points of the learning curve.
      score: of the parameters, at every point of it.
    """
    net = VDSR(depth, width, residual, dtype=dtype_of(config.precision))
    rate = config.learning_rate if first_rate is None else first_rate
    every = min(every or steps, steps)

    return train(
        name,
        initialise(make_init(config, net), keys, conv=True),
        make_step(config, net),
        keys,
        make_course(data, steps, rate),
        steps=steps,
        every=_chunk(config.chunk, every),
        score_every=every,
        score=score and (lambda state: score(state.params)),
        watch=watch,
        conv=True,
    )


def starting_at_bicubic(params: Params) -> Params:
    """With a last layer of zeros: a network for the residual then returns its input."""
    last = f"conv{len(params)}"
    return {**params, last: jax.tree.map(jnp.zeros_like, params[last])}


def _chunk(most: int, every: int) -> int:
    """The updates of one compiled call: at most `most`, and whole calls make `every` or few more."""
    return -(-every // -(-every // most))


@functools.lru_cache
def upscaler(depth: int, width: int, residual: bool = True) -> Callable:
    """`upscale(params, bicubic [H, W, 1]) -> [H, W, 1]`, compiled."""
    net = VDSR(depth, width, residual)
    return jax.jit(lambda params, bicubic: net.apply({"params": params}, bicubic[None])[0])


def replicas(params: Params) -> list[Params]:
    """Parameters stacked over seeds, one by one."""
    return [member(params, i) for i in range(len(params["conv1"]["bias"]))]
