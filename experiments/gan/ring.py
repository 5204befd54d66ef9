"""Mode collapse on a ring of Gaussians: the plain game against the unrolled one (Metz et al. 2017)."""

import itertools
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


def centres(config: Ring) -> jax.Array:
    """The modes' centres, `[modes, 2]`.

    The demo's angles run from 0 to 2 pi with both ends included, so that two modes coincide; here
    the last one is left out.
    """
    angles = 2 * jnp.pi * jnp.arange(config.modes) / config.modes
    return config.radius * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


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


def make_game(config: Ring) -> Game:
    """The nets and optimisers of the demo; the plain and the unrolled game have the same."""
    orthogonal = nn.initializers.orthogonal(1.4)
    hidden = (config.hidden, config.hidden)
    generator = MLP(2, hidden, kernel_init=orthogonal)
    discriminator = MLP(1, hidden, kernel_init=orthogonal)

    def adam(learning_rate):
        # eps_root: where a gradient is exactly zero, the root's derivative must stay finite.
        return optax.adam(learning_rate, b1=0.5, eps=1e-8, eps_root=1e-16)

    g_tx, d_tx = (
        adam(config.generator_learning_rate),
        adam(config.discriminator_learning_rate),
    )

    def noise(key, n):
        return jax.random.normal(key, (n, config.noise))

    def generate(params, z):
        return generator.apply({"params": params}, z)

    def discriminate(params, x, key):
        del key
        return discriminator.apply({"params": params}, x)[:, 0]

    def init(key):
        g_key, d_key = jax.random.split(key)
        g = generator.init(g_key, jnp.zeros((1, config.noise)))["params"]
        d = discriminator.init(d_key, jnp.zeros((1, 2)))["params"]
        return adversarial.init_state(g, d, g_tx, d_tx)

    return Game(adversarial.Players(noise, generate, discriminate), init, g_tx, d_tx)


def ring(
    config: Config, keys: jax.Array, data: Any, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Both games from the same start, `replicas` of each a key; samples, modes and quality."""
    del data
    config = config.ring
    game, modes = make_game(config), centres(config)
    ends = [config.steps * stage // STAGES for stage in range(STAGES + 1)]

    def init_all(key):
        # One after another: a vmapped orthogonal initialiser, that is a batched QR
        # decomposition, can hang jaxlib 0.10 on a CPU.
        return jax.lax.map(game.init, jax.random.split(purpose(key, "ring"), config.replicas))

    @jax.jit
    def sample(state, key):
        z = game.players.noise(purpose(key, "ring samples"), SAMPLES)
        return jax.vmap(lambda g: game.players.generate(g, z))(state.generator)

    start = initialise(init_all, keys)
    metrics: dict[str, list[float]] = {}
    arrays = {"ring_centres": np.asarray(modes), "ring_updates": np.asarray(ends)}
    for name, unroll in (("plain", 0), ("unrolled", config.unroll)):
        stages = [start, *play(name, unroll, config, game, start, ends, keys, watch)]
        shown = [sample(member(states, 0), keys[0]) for states in stages]
        arrays[f"ring_{name}"] = np.asarray(jnp.stack(shown))[:, :, :500]
        scores = [
            score(sample(member(stages[-1], i), k), modes, config.sigma) for i, k in enumerate(keys)
        ]
        for i, measure in enumerate(("modes", "quality")):
            metrics[f"ring_{measure}_{name}"] = np.concatenate([s[i] for s in scores]).tolist()
    pairs = zip(metrics["ring_modes_unrolled"], metrics["ring_modes_plain"], strict=True)
    metrics["ring_modes_gained"] = [unrolled - plain for unrolled, plain in pairs]
    return Result(metrics, arrays=arrays)


score = jax.vmap(mode_coverage, in_axes=(0, None, None))
"""Modes and quality of samples `[replicas, n, 2]`."""


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
    """The states at all `ends` but the first; the generator plays the minimax loss, as in the demo."""
    rule = adversarial.simultaneous(
        game.players,
        game.generator_tx,
        game.discriminator_tx,
        generator_loss=adversarial.saturating,
        unroll=unroll,
    )

    def step(state, _, key, t):
        def one(state, key):
            x_key, game_key = jax.random.split(key)
            return rule(state, draw(config, x_key, config.batch), game_key)

        replica_keys = jax.random.split(jax.random.fold_in(key, t), config.replicas)
        state, rows = jax.vmap(one)(state, replica_keys)
        return state, {metric: values.mean() for metric, values in rows.items()}

    for stage, (begin, end) in enumerate(itertools.pairwise(ends), start=1):
        steps = end - begin
        settings = {"steps": steps, "every": min(steps, 200), "watch": watch}
        states = train(f"ring-{name}-{stage}", states, step, keys, None, **settings).state
        yield states
