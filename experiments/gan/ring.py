"""Mode collapse on a ring of Gaussians: the plain game against the unrolled one (Metz et al. 2017)."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan.config import Config, Ring
from lib.metrics.modes import mode_coverage
from lib.models.mlp import MLP
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps import adversarial

STAGES = 5
"""Rows of samples kept through training, as in the paper's Figure 2."""
SAMPLES = 2500
"""Samples that the modes are counted on."""
SHOWN = 500
"""Of them, those in the figure."""
GAIN = 0.8
"""Of the orthogonal initialisation (paper, appendix A)."""
INPUT_SCALE = 4.0
"""D divides its input by this (ibid.)."""
WIDTH = 0.5
"""Half the width of the annulus around the ring, which no generator had to learn."""


def centres(config: Ring) -> jax.Array:
    """The modes' centres, `[modes, 2]`.

    The demo's angles run from 0 to 2 pi with both ends included, so that two modes coincide; here
    the last one is left out.
    """
    angles = 2 * np.pi * np.arange(config.modes) / config.modes
    return jnp.asarray(
        config.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), jnp.float32
    )


def half_way(config: Ring) -> float:
    """Half the distance between two neighbouring modes: the radius of a mode's neighbourhood."""
    return config.radius * math.sin(math.pi / config.modes)


def draw(config: Ring, key: jax.Array, n: int) -> jax.Array:
    """`[n, 2]` points of the mixture."""
    mode_key, noise_key = jax.random.split(key)
    modes = jax.random.randint(mode_key, (n,), 0, config.modes)
    return centres(config)[modes] + config.sigma * jax.random.normal(noise_key, (n, 2))


class Game(NamedTuple):
    """The two networks' pure functions, how they start and how they learn."""

    players: adversarial.Players
    init: Callable[[jax.Array], adversarial.AdversarialState]
    generator_tx: optax.GradientTransformation
    discriminator_tx: optax.GradientTransformation


def annulus(config: Ring, key: jax.Array, n: int) -> jax.Array:
    """`[n, 2]` points of a smear over the ring, uniform in angle and in radius: not to be taken for modes."""
    angle_key, radius_key = jax.random.split(key)
    angles = jax.random.uniform(angle_key, (n,), maxval=2 * math.pi)
    radii = config.radius + jax.random.uniform(radius_key, (n,), minval=-WIDTH, maxval=WIDTH)
    return radii[:, None] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def make_game(config: Ring) -> Game:
    """The nets and optimisers of the paper's appendix; the plain and the unrolled game have the same."""
    how = {"activation": nn.relu, "kernel_init": nn.initializers.orthogonal(GAIN)}
    generator = MLP(2, (config.hidden, config.hidden), **how)
    discriminator = MLP(1, (config.hidden,), **how)

    def adam(learning_rate):
        # eps_root: where a gradient is exactly zero, the root's derivative must stay finite.
        return optax.adam(learning_rate, b1=0.5, eps=1e-8, eps_root=1e-16)

    g_tx = adam(config.generator_learning_rate)
    d_tx = adam(config.discriminator_learning_rate)

    def noise(key, n):
        return jax.random.normal(key, (n, config.noise))

    def generate(params, z):
        return generator.apply({"params": params}, z)

    def discriminate(params, x, key):
        del key
        return discriminator.apply({"params": params}, x / INPUT_SCALE)[:, 0]

    def init(key):
        g_key, d_key = jax.random.split(key)
        g = generator.init(g_key, jnp.zeros((1, config.noise)))["params"]
        d = discriminator.init(d_key, jnp.zeros((1, 2)))["params"]
        return adversarial.init_state(g, d, g_tx, d_tx)

    return Game(adversarial.Players(noise, generate, discriminate), init, g_tx, d_tx)


def ring(
    config: Config, keys: jax.Array, data: Any, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Both games from the same start: samples, modes, quality; and what an annulus scores by the same."""
    del data
    config = config.ring
    game, modes = make_game(config), centres(config)
    ends = [config.steps * stage // STAGES for stage in range(STAGES + 1)]

    @jax.jit
    def sample(generator, key):
        return game.players.generate(generator, game.players.noise(key, SAMPLES))

    def samples(states):
        return [
            sample(member(states, i).generator, purpose(key, "ring samples"))
            for i, key in enumerate(keys)
        ]

    start = initialise(lambda key: game.init(purpose(key, "ring")), keys)
    metrics: dict[str, list[float]] = {}
    arrays = {
        "ring_centres": np.asarray(modes),
        "ring_circle": np.asarray(3 * config.sigma),
        "ring_updates": np.asarray(ends),
    }

    def measure(name, samples):
        for what, share, within in (
            ("modes", "quality", 3.0),
            ("neighbourhoods", "near", half_way(config) / config.sigma),
        ):
            scores = [mode_coverage(x, modes, config.sigma, within) for x in samples]
            metrics[f"ring_{what}_{name}"] = [int(covered) for covered, _ in scores]
            metrics[f"ring_{share}_{name}"] = [float(good) for _, good in scores]

    for name, unroll in (("plain", 0), ("unrolled", config.unroll)):
        stages = [start, *play(name, unroll, config, game, start, ends, keys, watch)]
        arrays[f"ring_{name}"] = np.stack([samples(states)[0][:SHOWN] for states in stages])
        measure(name, samples(stages[-1]))
    measure("annulus", [annulus(config, purpose(key, "annulus"), SAMPLES) for key in keys])
    pairs = zip(metrics["ring_modes_unrolled"], metrics["ring_modes_plain"], strict=True)
    metrics["ring_modes_gained"] = [unrolled - plain for unrolled, plain in pairs]
    return Result(metrics, arrays=arrays)


def play(
    name: str,
    unroll: int,
    config: Ring,
    game: Game,
    states: adversarial.AdversarialState,
    ends: Sequence[int],
    keys: jax.Array,
    watch: Watch,
) -> Iterator[adversarial.AdversarialState]:
    """The states at all `ends` but the first; both players play the minimax value, in turn."""
    rule = adversarial.alternating(
        game.players,
        game.generator_tx,
        game.discriminator_tx,
        generator_loss=adversarial.saturating,
        unroll=unroll,
    )

    def step(state, _, key, t):
        x_key, game_key = jax.random.split(jax.random.fold_in(key, t))
        return rule(state, draw(config, x_key, config.batch)[None], game_key)

    for stage, (begin, end) in enumerate(itertools.pairwise(ends), start=1):
        steps = end - begin
        settings = {"steps": steps, "every": min(steps, 200), "watch": watch}
        states = train(f"ring-{name}-{stage}", states, step, keys, None, **settings).state
        yield states
