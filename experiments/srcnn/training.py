"""How an SRCNN is trained and used; the table's networks and the ablations share it."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.srcnn.config import Config, sizes_of
from lib.base.errors import UserError
from lib.batches.indices import shuffled_indices
from lib.batches.super_resolution import Patches, take
from lib.models.super_resolution import SRCNN
from lib.ops.crops import centre_crop
from lib.run.keys import purpose
from lib.run.loop import Trained, initialise, train
from lib.run.precision import dtype_of
from lib.run.watch import Watch
from lib.steps.optimizers import spectral_muon
from lib.steps.supervised import init_state, supervised

Params = dict
INITIALISERS = {
    "gaussian": nn.initializers.normal(1e-3),
    "he": nn.initializers.he_normal(),
    "identity": nn.initializers.he_normal(),
}
WARM_UP = 200
"""Updates over which the cosine schedule's learning rate rises."""
MUON_BIASES = 0.02
"""The biases' learning rate (Adam's) under Muon, as a fraction of the kernels'."""


def make_optimiser(config: Config, layers: int, steps: int) -> optax.GradientTransformation:
    """Section 3.3: momentum 0.9, another learning rate for the last layer; or a faster rule."""

    def schedule(rate):
        if config.schedule == "constant":
            return rate
        return optax.warmup_cosine_decay_schedule(0, rate, min(WARM_UP, steps // 5), steps)

    def rule(rate):
        if config.optimiser == "muon":
            return spectral_muon(schedule(rate), schedule(MUON_BIASES * rate))
        if config.optimiser == "adam":
            return optax.adam(schedule(rate))
        return optax.sgd(schedule(rate), momentum=0.9)

    def which(params):
        return {name: "last" if name == f"conv{layers}" else "others" for name in params}

    rules = {"others": rule(config.learning_rate), "last": rule(config.last_learning_rate)}
    return optax.multi_transform(rules, which)


class Learner(NamedTuple):
    """`init(key) -> params` and the step that `lib.run.loop.train` takes; its data: see `make_learner`."""

    init: Callable[[jax.Array], Params]
    tx: optax.GradientTransformation
    step: Callable


@functools.lru_cache
def make_init(initialiser: str, sizes: str, widths: tuple[int, ...], channels: int) -> Callable:
    """`init(key) -> params`; the same function for networks of one kind, and so compiled once."""
    net = SRCNN(sizes_of(sizes), widths, channels, kernel_init=INITIALISERS[initialiser])
    side = 1 + sum(size - 1 for size in sizes_of(sizes))

    def init(key):
        params = net.init(purpose(key, "init"), jnp.zeros((1, side, side, channels)))["params"]
        return with_identity_path(params) if initialiser == "identity" else params

    return init


@functools.lru_cache
def make_learner(
    config: Config, sizes: str, channels: int, steps: int, widths: tuple[int, ...] = ()
) -> Learner:
    """One SRCNN, without padding, against the centre of each patch; made, and compiled, once.

    The loss is the paper's: squared differences summed over a patch, their mean over patches. The
    step's data are the patches and how much each channel's error counts, float32 `[channels]`.
    """
    dtype, widths = dtype_of(config.precision), widths or config.widths
    net = SRCNN(sizes_of(sizes), widths, channels, dtype=dtype)
    tx = make_optimiser(config, len(sizes_of(sizes)), steps)

    init = make_init(config.initialiser, sizes, widths, channels)

    def loss(params, batch, key):
        del key
        bicubic, truth, weights = batch
        output = net.apply({"params": params}, bicubic)
        error = jnp.square(output - centre_crop(truth, output.shape[1]))
        return (weights.reshape(1, 1, 1, -1) * error).sum(axis=(1, 2, 3)).mean(), {
            "mse": error.mean()
        }

    rule = supervised(loss, tx)

    def step(state, data, key, t):
        patches, weights = data
        patches_key, symmetry_key = (purpose(key, what) for what in ("patches", "symmetries"))
        indices = shuffled_indices(patches_key, t, size=len(patches.corners), batch=config.batch)
        symmetries = None
        if config.augment:
            symmetries = jax.random.randint(
                jax.random.fold_in(symmetry_key, t), (config.batch,), 0, 8
            )
        return rule(state, (*take(patches, indices, config.patch, symmetries), weights), key)

    return Learner(init, tx, step)


def train_network(
    name: str,
    config: Config,
    data: Patches,
    keys: jax.Array,
    watch: Watch,
    *,
    sizes: str,
    steps: int,
    widths: tuple[int, ...] = (),
    channels: Sequence[float] = (1.0,),
    start: Params | None = None,
    score: Callable[[Params], dict[str, float]] | None = None,
) -> Trained:
    """Trains one SRCNN a key.

    Args:
      sizes: filter sizes, "9-5-5".
      widths: filters of all layers but the last; the config's if there are none.
      channels: how much each channel's error counts in the loss.
      start: parameters to continue from, stacked over seeds; fresh ones if None.
      score: of the parameters, at every point of the learning curve.
    """
    learner = make_learner(config, sizes, len(channels), steps, widths)
    params = initialise(learner.init, keys, conv=True) if start is None else start
    margin = sum(size - 1 for size in sizes_of(sizes))
    data = hardest(data, config.hardest, config.patch, margin)
    if config.batch > len(data.corners):
        raise UserError(f"--batch {config.batch}: there are {len(data.corners)} sub-images only", 2)
    return train(
        name,
        jax.jit(jax.vmap(lambda p: init_state(p, learner.tx)))(params),
        learner.step,
        keys,
        (data, jnp.asarray(channels)),
        steps=steps,
        every=min(config.chunk, steps),
        score_every=min(config.every, steps),
        score=score and (lambda state: score(state.params)),
        watch=watch,
        conv=True,
    )


def with_identity_path(params: Params, others: float = 0.1) -> Params:
    """Makes an initialised SRCNN start out as about the identity, that is at bicubic quality.

    The first filters of each layer copy the channels of the image through (positive, so that rectifiers
    let it pass); the last layer's other weights are multiplied by `others`.
    """
    *_, last = params
    initial = {}
    for name, layer in params.items():
        kernel = layer["kernel"]
        size, channels = kernel.shape[0], params[last]["kernel"].shape[3]
        copies = np.zeros(kernel.shape[:3] + (channels,), np.float32)
        copies[size // 2, size // 2, :channels] = np.eye(channels)
        if name == last:
            kernel = (others * kernel).at[:, :, :channels].set(copies[:, :, :channels])
        else:
            kernel = kernel.at[..., :channels].set(copies)
        initial[name] = {**layer, "kernel": kernel}
    return initial


def hardest(data: Patches, fraction: float, size: int, margin: int) -> Patches:
    """The `fraction` of patches whose middle bicubic gets most wrong; in their old order."""
    if fraction == 1:
        return data

    @jax.jit
    def errors(data, indices):
        bicubic, truth = (centre_crop(x, size - margin) for x in take(data, indices, size))
        return jnp.square(bicubic - truth).mean(axis=(1, 2, 3))

    patches = np.arange(len(data.corners))
    starts = range(0, len(patches), 4096)
    wrong = np.concatenate([errors(data, patches[i : i + 4096]) for i in starts])
    kept = np.sort(np.argsort(-wrong, kind="stable")[: max(1, round(fraction * len(wrong)))])
    return data._replace(corners=jnp.asarray(np.asarray(data.corners)[kept]))


@functools.lru_cache
def upscaler(sizes: tuple[int, ...], widths: tuple[int, ...], channels: int = 1) -> Callable:
    """`upscale(params, bicubic [H, W, channels]) -> [H, W, channels]`, borders repeated; compiled."""
    net = SRCNN(sizes, widths, channels, padding="EDGE")
    return jax.jit(lambda params, bicubic: net.apply({"params": params}, bicubic[None])[0])
