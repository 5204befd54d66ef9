"""Mode collapse on a ring of Gaussians: the plain game against the unrolled one (Metz et al. 2017)."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan.config import Ring
from lib.metrics.modes import mode_coverage
from lib.models.mlp import MLP
from lib.run.keys import purpose
from lib.run.loop import initialise, train
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


def make_game(config: Ring, unroll: int):
    """`(players, init, step)` of one game; the generator plays the minimax loss, as in the demo."""
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

    players = adversarial.Players(noise, generate, discriminate)
    rule = adversarial.simultaneous(
        players, g_tx, d_tx, generator_loss=adversarial.saturating, unroll=unroll
    )
    return players, init, rule


def run(config: Ring, keys: jax.Array, watch: Watch | None = None) -> Result:
    """Both games, `config.replicas` replicas a key under one vmap; modes and quality at the end."""
    watch = watch or Watch()
    ends = [config.steps * stage // STAGES for stage in range(STAGES + 1)]
    metrics = {}
    arrays = {"ring_centres": np.asarray(centres(config)), "ring_updates": np.asarray(ends)}
    for name, unroll in (("plain", 0), ("unrolled", config.unroll)):
        players, init, rule = make_game(config, unroll)

        def step(state, _, key, t, rule=rule):
            def one(state, key):
                x_key, game_key = jax.random.split(key)
                return rule(state, draw(config, x_key, config.batch), game_key)

            replica_keys = jax.random.split(jax.random.fold_in(key, t), config.replicas)
            state, game = jax.vmap(one)(state, replica_keys)
            return state, {name: values.mean() for name, values in game.items()}

        def init_all(key, init=init):
            # One after another: a vmapped orthogonal initialiser, that is a batched QR
            # decomposition, can hang jaxlib 0.10 on a CPU.
            return jax.lax.map(init, jax.random.split(purpose(key, "ring"), config.replicas))

        @jax.jit
        def sample(state, key, players=players):
            z = players.noise(key, SAMPLES)
            return jax.vmap(lambda g: players.generate(g, z))(state.generator)

        state = initialise(init_all, keys)
        seen = [sample(jax.tree.map(lambda x: x[0], state), purpose(keys[0], "ring samples"))]
        for stage, (begin, end) in enumerate(itertools.pairwise(ends), start=1):
            state = train(
                f"ring-{name}-{stage}",
                state,
                step,
                keys,
                None,
                steps=end - begin,
                every=min(end - begin, 200),
                watch=watch,
            ).state
            first = jax.tree.map(lambda x: x[0], state)
            seen.append(sample(first, purpose(keys[0], "ring samples")))

        modes, quality = [], []
        for i, key in enumerate(keys):
            samples = sample(jax.tree.map(lambda x, i=i: x[i], state), purpose(key, "ring samples"))
            covered, good = jax.vmap(lambda s: mode_coverage(s, centres(config), config.sigma))(
                samples
            )
            modes += np.asarray(covered).tolist()
            quality += np.asarray(good).tolist()
        metrics[f"ring_modes_{name}"] = modes
        metrics[f"ring_quality_{name}"] = quality
        arrays[f"ring_{name}"] = np.asarray(jnp.stack(seen))[:, :, :500]
    pairs = zip(metrics["ring_modes_unrolled"], metrics["ring_modes_plain"], strict=True)
    metrics["ring_modes_gained"] = [unrolled - plain for unrolled, plain in pairs]
    return Result(metrics, arrays=arrays)
