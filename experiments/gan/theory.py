"""Section 4 on a computer: Propositions 1 and 2, Theorem 1, and the one-dimensional game of Figure 1."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan.config import Config, Toy
from lib.metrics.divergence import (
    jensen_shannon,
    optimal_discriminator,
    virtual_criterion,
)
from lib.models.mlp import MLP
from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps import adversarial

GRID = np.linspace(-4.0, 4.0, 201, dtype=np.float32)
MEAN, HALF_WIDTH = 1.0, 1.5
"""The data of the one-dimensional game: a bump on MEAN +- HALF_WIDTH. Bounded, as what G makes of its noise
is: of a normal law G would lack the tails, and D would be sure there."""
SUPPORT = 1e-2
"""D is judged where p_data + p_g exceeds this: elsewhere it meets nothing."""


def theorem_1(
    config: Config, keys: jax.Array, data: Any, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Theorem 1 on random densities."""
    error = jax.jit(theorem_1_error)
    return Result({"theorem_1_error": [float(error(purpose(k, "theorem 1"))) for k in keys]})


def proposition_2(
    config: Config, keys: jax.Array, data: Any, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Proposition 2 on random densities, and the first seed's curve."""
    curves = [np.asarray(criterion_curve(purpose(k, "proposition 2"))) for k in keys]
    metrics = {"proposition_2_gap": [float(curve[-1]) for curve in curves]}
    return Result(metrics, arrays={"proposition_2": curves[0]})


def theorem_1_error(key: jax.Array, densities: int = 100, states: int = 64) -> jax.Array:
    """Largest `|C(G) + log 4 - 2 JSD|` over random pairs of discrete densities, in nats."""
    p, q = jax.random.dirichlet(key, jnp.ones(states), (2, densities))
    return jnp.abs(virtual_criterion(p, q) + math.log(4) - 2 * jensen_shannon(p, q)).max()


@partial(jax.jit, static_argnames=("states", "steps"))
def criterion_curve(key: jax.Array, states: int = 64, steps: int = 2000) -> jax.Array:
    """`C(G) + log 4` after each step of p_g in function space, D optimal at each: `[steps]`, nats.

    The subgradient of `sup_D U(p_g, D)` in p_g is log(1 - D*). The step is an exponentiated gradient,
    which keeps p_g a density.
    """
    p_data, p_g = jax.random.dirichlet(key, jnp.ones(states), (2,))

    def step(p_g, _):
        gradient = jnp.log1p(-optimal_discriminator(p_data, p_g))
        p_g = p_g * jnp.exp(-0.5 * gradient)
        p_g = p_g / p_g.sum()
        # As 2 JSD (Theorem 1): near the end C(G) itself is lost in float32's rounding of log 4.
        return p_g, 2 * jensen_shannon(p_data, p_g)

    return jax.lax.scan(step, p_g, length=steps)[1]


def data_density(x):
    """p_data of the one-dimensional game: a parabola upside down, the law Beta(2, 2)."""
    u = (x - MEAN) / HALF_WIDTH
    return 0.75 / HALF_WIDTH * jnp.maximum(1 - u**2, 0)


def draw(key: jax.Array, *shape: int) -> jax.Array:
    """Points of the data: the median of three uniform numbers is Beta(2, 2)."""
    u = jnp.median(jax.random.uniform(key, (*shape, 3), minval=-1), axis=-1)
    return MEAN + HALF_WIDTH * u


def generator_density(players, params, points: int = 8192, width: float = 0.05):
    """p_g on GRID: G at evenly spaced quantiles of z, smoothed by a Gaussian of `width`."""
    z = ((jnp.arange(points) + 0.5) / points)[:, None]
    x = players.generate(params, z)[:, 0]
    kernels = jnp.exp(-0.5 * ((GRID[:, None] - x[None, :]) / width) ** 2)
    return kernels.mean(axis=1) / (width * math.sqrt(2 * math.pi))


def make_toy(config: Toy):
    """`(players, init, G's optimiser, D's)`: G: U(0, 1) -> R, of tanh, and D: R -> logit, piecewise linear.

    Of two layers each. The learning rate falls to zero along a cosine: without that the game circles its
    equilibrium. A D of tanh units was seen to answer 1/2 under a spike of p_g twice as high as p_data.
    """
    hidden, k = (config.hidden, config.hidden), config.discriminator_steps
    generator = MLP(1, hidden)
    discriminator = MLP(1, hidden, activation=nn.leaky_relu)

    def adam(learning_rate, updates):
        return optax.adam(optax.cosine_decay_schedule(learning_rate, updates), b1=0.5)

    g_tx = adam(config.generator_learning_rate, config.steps)
    d_tx = adam(config.discriminator_learning_rate, config.steps * k)

    def noise(key, n):
        return jax.random.uniform(key, (n, 1))

    def generate(params, z):
        return generator.apply({"params": params}, 2 * z - 1)

    def discriminate(params, x, key):
        del key
        return discriminator.apply({"params": params}, x)[:, 0]

    def init(key):
        g_key, d_key = jax.random.split(key)
        g = generator.init(g_key, jnp.zeros((1, 1)))["params"]
        d = discriminator.init(d_key, jnp.zeros((1, 1)))["params"]
        return adversarial.init_state(g, d, g_tx, d_tx)

    return adversarial.Players(noise, generate, discriminate), init, g_tx, d_tx


def figure_1(
    config: Config, keys: jax.Array, data: Any, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Figure 1's four panels: (a) early, (b) D to its optimum, (c) then G, (d) the end of the game."""
    del data
    toy = config.toy
    players, init, g_tx, d_tx = make_toy(toy)

    def data_batch(key, *shape):
        return draw(key, *shape, toy.batch, 1)

    def by(rule, batch):
        def step(state, _, key, t):
            batch_key, rule_key = jax.random.split(jax.random.fold_in(key, t))
            return rule(state, batch(batch_key), rule_key)

        return step

    def go(name, start, step, steps):
        every = min(steps, 250)
        return train(name, start, step, keys, None, steps=steps, every=every, watch=watch).state

    k = toy.discriminator_steps
    rule = adversarial.alternating(players, g_tx, d_tx, discriminator_steps=k)
    game = by(rule, lambda key: data_batch(key, k))
    d_only = by(adversarial.discriminator_only(players, d_tx), data_batch)
    g_only = by(adversarial.generator_only(players, g_tx, d_tx), data_batch)
    a = go("toy-early", initialise(init, keys), game, toy.early)
    b = go("toy-inner", a, d_only, toy.inner)
    c = go("toy-outer", b, g_only, toy.outer)
    d = go("toy-game", a, game, toy.steps - toy.early)

    p_data = np.asarray(data_density(GRID))
    z = np.linspace(0, 1, 21, dtype=np.float32)[:, None]

    @jax.jit
    @jax.vmap
    def panel(state):
        p_g = generator_density(players, state.generator)
        return {
            "p_g": p_g,
            "d": jax.nn.sigmoid(players.discriminate(state.discriminator, GRID[:, None], None)),
            "d_star": optimal_discriminator(p_data + 1e-12, p_g + 1e-12),
            "x": players.generate(state.generator, z)[:, 0],
            "support": p_data + p_g > SUPPORT,
        }

    panels = {
        name: jax.tree.map(np.asarray, panel(state))
        for name, state in zip("abcd", (a, b, c, d), strict=True)
    }

    def error(panel):
        deviation = np.abs(panel["d"] - panel["d_star"])
        return deviation.mean(axis=1, where=panel["support"]).tolist()

    def from_half(panel):
        return (np.abs(panel["d"] - 0.5) * as_masses(p_data)).sum(axis=1).tolist()

    def as_masses(density):
        density = density + 1e-12  # of neither density may float32 round a half to zero
        return density / density.sum(axis=-1, keepdims=True)

    def divergence(panel):
        p_g = as_masses(panel["p_g"])
        return np.asarray(
            jensen_shannon(np.broadcast_to(as_masses(p_data), p_g.shape), p_g)
        ).tolist()

    def peak(panel):
        return (panel["p_g"].max(axis=1) / p_data.max()).tolist()

    metrics = {"proposition_1_error": error(panels["b"])}
    for when, panel in (("", panels["d"]), ("early_", panels["a"])):
        metrics[f"toy_{when}d_from_half"] = from_half(panel)
        metrics[f"toy_{when}divergence"] = divergence(panel)
        metrics[f"toy_{when}peak"] = peak(panel)
    arrays = {
        f"toy_{name}_{what}": values[0]
        for name, panel in panels.items()
        for what, values in panel.items()
    }
    return Result(metrics, arrays=arrays)
