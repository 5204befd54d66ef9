"""The networks of the paper's MNIST experiments, and how they are trained side by side."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.adversarial.attacks import Logits, cross_entropy, fgsm
from lib.batches.indices import shuffled_indices
from lib.models.mlp import MLP
from lib.nn.maxout import Maxout
from lib.run.keys import purpose
from lib.steps.supervised import init_state, supervised

CLASSES = 10


class MaxoutNet(nn.Module):
    """Two maxout layers and a softmax: `[n, d]` -> logits `[n, 10]` (Goodfellow et al. 2013)."""

    units: int
    pieces: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for i in range(2):
            x = Maxout(self.units, self.pieces, name=f"hidden{i + 1}")(x)
        return nn.Dense(CLASSES, name="classes")(x)


@functools.lru_cache
def network(kind: str, units: int, pieces: int) -> nn.Module:
    """ "softmax" (no hidden layer), "maxout" or "relu"."""
    if kind == "maxout":
        return MaxoutNet(units, pieces)
    return MLP(CLASSES, hidden=(units * 2,) * 2 if kind == "relu" else (), activation=nn.relu)


@functools.lru_cache
def logits_of(kind: str, units: int, pieces: int) -> Logits:
    """`logits(params, x)`: the same function, and so compiled once, for equal arguments."""
    net = network(kind, units, pieces)
    return lambda params, x: net.apply({"params": params}, x)


def make_training(
    kinds: dict[str, tuple[str, bool]],
    features: int,
    units: int,
    pieces: int,
    *,
    epsilon: float,
    alpha: float,
    learning_rate: float,
    batch: int,
) -> tuple[Callable, Callable]:
    """`(init(key), step(states, (images, labels), key, t))` of several networks trained side by side.

    Args:
      kinds: name -> (kind of network, whether it is trained on adversarial examples too).
      features: of an image.
      alpha: the weight of the clean loss there, J~ = alpha J + (1 - alpha) J(x').

    All see the same minibatches; those of a kind begin with the same weights.
    """
    tx = optax.adam(learning_rate)

    def rule(kind: str, adversarial: bool):
        logits = logits_of(kind, units, pieces)

        def loss(params, minibatch, key):
            del key
            x, labels = minibatch
            clean = cross_entropy(logits, params, x, labels).mean()
            if not adversarial:
                return clean, {}
            # Nothing flows back through how x' was made: the paper's equation has x' as an input.
            moved = jax.lax.stop_gradient(fgsm(logits, params, x, labels, epsilon))
            there = cross_entropy(logits, params, moved, labels).mean()
            return alpha * clean + (1 - alpha) * there, {}

        return supervised(loss, tx)

    rules = {name: rule(*how) for name, how in kinds.items()}

    def init(key):
        states = {}
        for name, (kind, _) in kinds.items():
            net = network(kind, units, pieces)
            params = net.init(purpose(key, kind), jnp.zeros((1, features)))["params"]
            states[name] = init_state(params, tx)
        return states

    def step(states, data, key, t):
        images, labels = data
        chosen = shuffled_indices(key, t, size=len(images), batch=batch)
        minibatch = (pixels(images[chosen]), labels[chosen])
        stepped = {n: rules[n](state, minibatch, key) for n, state in states.items()}
        return (
            {n: state for n, (state, _) in stepped.items()},
            {f"loss_{n}": metrics["loss"] for n, (_, metrics) in stepped.items()},
        )

    return init, step


def pixels(images: jax.Array) -> jax.Array:
    """uint8 in 0..255 as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


def weights_from(largest: float, factor: float, count: int) -> Sequence[float]:
    """A falling geometric series: the weights that a line search tries."""
    return [largest / factor**i for i in range(count)]
