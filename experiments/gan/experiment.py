"""The GAN paper, in the order in which it happens: game, training, scores."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan.config import Config
from experiments.gan.judges import (
    Images,
    load_data,
    pixels,
    references,
    table_1_score,
    train_classifier,
)
from experiments.gan.ring import ring
from experiments.gan.theory import figure_1, proposition_2, theorem_1
from lib.batches.indices import shuffled_indices
from lib.metrics.inception import inception_score
from lib.metrics.parzen import squared_distances
from lib.models.gan import Generator, MaxoutDiscriminator, with_marginal_bias
from lib.run.keys import purpose
from lib.run.loop import PyTree, Trained, initialise, member, train
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.precision import dtype_of
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps import adversarial
from lib.steps.optimizers import classical_momentum

__all__ = ["PARTS", "load_data", "run"]

CHAINS = ((1, 5), (7, 9, 1))
"""The digits that Figure 3 walks between."""


class Game(NamedTuple):
    """The two networks, their pure functions, how they start and how they learn."""

    players: adversarial.Players
    init: Callable[[jax.Array], adversarial.AdversarialState]
    generator_tx: optax.GradientTransformation
    discriminator_tx: optax.GradientTransformation


def make_game(config: Config, images: np.ndarray) -> Game:
    """The MNIST game of the released configuration; sizes and schedules from `config`."""
    features = images.shape[1]
    dtype = dtype_of(config.precision)
    generator = Generator(features, config.generator_hidden, dtype=dtype)
    discriminator = MaxoutDiscriminator(config.discriminator_hidden, config.pieces, dtype=dtype)
    pixel_means = pixels(images).mean(axis=0)

    def noise(key, n):
        bound = 3**0.5
        return jax.random.uniform(key, (n, config.noise), minval=-bound, maxval=bound)

    def generate(params, z):
        return generator.apply({"params": params}, z)

    def discriminate(params, x, key):
        return discriminator.apply({"params": params}, x, train=True, rngs={"dropout": key})

    epoch = len(images) // config.batch

    def learning_rate(count):
        # In logarithms: float32 knows 1.000004 only as 1.00000405, which 125 000 updates amplify.
        decayed = config.learning_rate * jnp.exp(-math.log(config.learning_rate_decay) * count)
        return jnp.maximum(decayed, config.learning_rate_floor)

    def momentum(count):
        risen = jnp.minimum((count // epoch) / (config.momentum_epochs - 1), 1.0)
        return config.momentum + (config.momentum_final - config.momentum) * risen

    optimisers = [classical_momentum(learning_rate, momentum) for _ in range(2)]

    def init(key):
        g_key, d_key = jax.random.split(key)
        g = generator.init(g_key, jnp.zeros((1, config.noise)))["params"]
        d = discriminator.init(d_key, jnp.zeros((1, features)))["params"]
        return adversarial.init_state(with_marginal_bias(g, pixel_means), d, *optimisers)

    players = adversarial.Players(noise, generate, discriminate)
    return Game(players, init, *optimisers)


def minibatch(images, key, t, batch):
    """The t-th minibatch of an endless sequence of shuffled epochs, float32 `[batch, d]`."""
    indices = shuffled_indices(purpose(key, "batches"), t, size=len(images), batch=batch)
    return pixels(images[indices])


def run(
    config: Config,
    key: jax.Array,
    data: Images,
    watch: Watch | None = None,
    only: Sequence[str] = (),
) -> Result:
    """Everything the paper claims, or the parts `only`. `key` is one root key, or `[n]`: a replica each."""
    return run_parts(load_paper("experiments.gan"), config, key, data, watch, only)


def table_1(
    config: Config, keys: jax.Array, data: Images, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Trains on images; Table 1, Figures 2 and 3, the MNIST score."""
    game = make_game(config, data.train)
    rule = adversarial.simultaneous(game.players, game.generator_tx, game.discriminator_tx)
    start, trained = play("game", config, game, rule, config.steps, keys, data, watch)
    classify, accuracy = train_classifier(config, data, watch)
    scored = [
        scores(config, game, member(trained.state, i), member(start, i), k, data, classify)
        for i, k in enumerate(keys)
    ]
    metrics = {name: [float(m[name]) for m, _ in scored] for name in scored[0][0]}
    metrics["classifier_accuracy"] = accuracy
    return Result(metrics, {"game": trained.history}, arrays=scored[0][1])


def section_3(
    config: Config, keys: jax.Array, data: Images, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Trains D against the untrained G, and compares the gradients that either loss then gives G."""
    game = make_game(config, data.train)
    rule = adversarial.discriminator_only(game.players, game.discriminator_tx)
    _, early = play("early", config, game, rule, config.early_steps, keys, data, watch)
    ratios = [float(gradient_ratio(game, member(early.state, i), k)) for i, k in enumerate(keys)]
    return Result({"gradient_ratio": ratios}, {"early": early.history})


def play(name, config, game, rule, steps, keys, data, watch) -> tuple[PyTree, Trained]:
    """`(states at update 0, trained)` of the game by `rule`, on minibatches of the training images."""

    def step(state, images, key, t):
        x = minibatch(images, key, t, config.batch)
        return rule(state, x, jax.random.fold_in(purpose(key, "game"), t))

    start, images = initialise(game.init, keys), jnp.asarray(data.train)
    settings = {"steps": steps, "every": config.every, "watch": watch}
    return start, train(name, start, step, keys, images, **settings)


def scores(config, game, state, start, key, data, classify) -> tuple[dict, dict]:
    """`(metrics, arrays for the figures)` of one replica, trained from `start` to `state`."""
    sample_key, figure_key, walk_key = (purpose(key, n) for n in ("samples", "figures", "walks"))
    generate = jax.jit(game.players.generate)
    n = config.parzen_samples
    z = game.players.noise(sample_key, n)
    samples, untrained = generate(state.generator, z), generate(start.generator, z)
    after, before = table_1_score(samples, data), table_1_score(untrained, data)
    mnist_score, spread = inception_score(classify(samples))
    shown = generate(state.generator, game.players.noise(figure_key, 20))
    nearest = nearest_images(shown[4::5], data.train)
    walks = digit_walks(generate, state.generator, game.players.noise(walk_key, 2000), classify)
    metrics = {
        "parzen": after["mean"],
        "parzen_stderr": after["stderr"],
        "parzen_sigma": after["sigma"],
        "parzen_untrained": before["mean"],
        "parzen_gain": after["mean"] - before["mean"],
        "mnist_score": mnist_score,
        "mnist_score_std_over_splits": spread,
    }
    arrays = {"samples": np.asarray(shown), "nearest": nearest, **walks}
    return metrics, arrays


def nearest_images(samples: jax.Array, images: np.ndarray) -> np.ndarray:
    """The training image nearest to each sample in squared pixel distance, `[n, d]`."""
    distances = np.asarray(jax.jit(squared_distances)(samples, pixels(images)))
    return pixels(images[distances.argmin(axis=1)])


def digit_walks(generate, params, z, classify, points: int = 9) -> dict[str, np.ndarray]:
    """Samples along straight lines in noise space between digits (Figure 3), `[points, d]` a chain.

    The ends are, among the candidates `z`, those that the classifier is surest of.
    """
    z = np.asarray(z)
    sure = np.asarray(jax.nn.log_softmax(classify(generate(params, z))))
    walks = {}
    for chain in CHAINS:
        ends = [z[sure[:, digit].argmax()] for digit in chain]
        parts = []
        for a, b in zip(ends[:-1], ends[1:], strict=True):
            weights = np.linspace(0, 1, (points - 1) // (len(ends) - 1) + 1, dtype=np.float32)[
                :, None
            ]
            parts.append((1 - weights) * a + weights * b)
        line = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
        walks["walk_" + "_".join(map(str, chain))] = np.asarray(generate(params, line))
    return walks


def gradient_ratio(game: Game, state, key) -> jax.Array:
    """|gradient of -log D(G(z))| / |gradient of log(1 - D(G(z)))| with respect to G."""
    z_key, d_key = jax.random.split(purpose(key, "gradients"))
    z = game.players.noise(z_key, 1000)

    @partial(jax.jit, static_argnums=1)
    def norm(params, loss):
        def of(params):
            fake = game.players.generate(params, z)
            return loss(game.players.discriminate(state.discriminator, fake, d_key))

        return optax.tree.norm(jax.grad(of)(params))

    return norm(state.generator, adversarial.non_saturating) / norm(
        state.generator, adversarial.saturating
    )


PARTS = {
    "table_1": table_1,
    "references": references,
    "section_3": section_3,
    "figure_1": figure_1,
    "theorem_1": theorem_1,
    "proposition_2": proposition_2,
    "ring": ring,
}
