"""The GAN paper, in the order in which it happens: data, game, training, scores."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan import ring, theory
from experiments.gan.config import Config
from lib.data import Dataset, load
from lib.data.batches import shuffled_indices
from lib.metrics.inception import inception_score
from lib.metrics.parzen import PAPER_SIGMAS, parzen, squared_distances
from lib.models.gan import Generator, MaxoutDiscriminator, with_marginal_bias
from lib.models.mlp import MLP
from lib.run.keys import purpose
from lib.run.loop import initialise, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps import adversarial
from lib.steps.optimizers import classical_momentum
from lib.steps.supervised import init_state, supervised

CHAINS = ((1, 5), (7, 9, 1))
"""The digits that Figure 3 walks between."""


class Images(NamedTuple):
    """Flattened images, uint8 `[n, d]`, and labels, int32 `[n]`, of the three splits."""

    train: np.ndarray
    train_labels: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    about: tuple[dict, ...]


def load_data(config: Config, data_dir: Path | None = None) -> Images:
    """The three splits. Raises UserError where `lib.data.load` does."""
    splits = (config.train_split, config.valid_split, config.test_split)
    training, valid, test = (load(config.dataset, split, data_dir=data_dir) for split in splits)

    def flat(dataset: Dataset) -> np.ndarray:
        return dataset.arrays["image"].reshape(len(dataset), -1)

    return Images(
        flat(training),
        training.arrays["label"],
        flat(valid),
        flat(test),
        test.arrays["label"],
        tuple(dataset.describe() for dataset in (training, valid, test)),
    )


def pixels(images: jax.Array) -> jax.Array:
    """uint8 images as float32 in [0, 1]; not binarised."""
    return images.astype(np.float32) / 255


class Game(NamedTuple):
    """The two networks, their pure functions, how they start and how they learn."""

    players: adversarial.Players
    init: Callable[[jax.Array], adversarial.AdversarialState]
    generator_tx: optax.GradientTransformation
    discriminator_tx: optax.GradientTransformation


def make_game(config: Config, images: np.ndarray) -> Game:
    """The MNIST game of the released configuration; sizes and schedules from `config`."""
    features = images.shape[1]
    dtype = jnp.dtype(config.precision)
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


def run(config: Config, key: jax.Array, data: Images, watch: Watch | None = None) -> Result:
    """Everything the paper claims. `key` is one root key, or `[n]` of them: a replica each."""
    watch = watch or Watch()
    keys = jnp.atleast_1d(key)
    return (
        images_game(config, keys, data, watch)
        | theory.run(config.toy, keys, watch)
        | ring.run(config.ring, keys, watch)
    )


def images_game(config: Config, keys: jax.Array, data: Images, watch: Watch) -> Result:
    """Trains on images; Table 1, Figures 2 and 3, the MNIST score, the gradients at the start."""
    game = make_game(config, data.train)
    rule = adversarial.simultaneous(game.players, game.generator_tx, game.discriminator_tx)
    d_rule = adversarial.discriminator_only(game.players, game.discriminator_tx)
    images = jnp.asarray(data.train)

    def step(state, images, key, t):
        x = minibatch(images, key, t, config.batch)
        return rule(state, x, jax.random.fold_in(purpose(key, "game"), t))

    def early_step(state, images, key, t):
        x = minibatch(images, key, t, config.batch)
        return d_rule(state, x, jax.random.fold_in(purpose(key, "game"), t))

    settings = {"every": config.every, "watch": watch}
    start = initialise(game.init, keys)
    trained = train("game", start, step, keys, images, steps=config.steps, **settings)
    early = train("early", start, early_step, keys, images, steps=config.early_steps, **settings)
    classify, accuracy = train_classifier(config, keys[:1], data, watch)
    references = reference_scores(config, data)
    found = [
        scores(config, game, member(trained.state, i), member(start, i), k, data, classify)
        for i, k in enumerate(keys)
    ]
    metrics = {name: [float(f[0][name]) for f in found] for name in found[0][0]}
    metrics["gradient_ratio"] = [
        float(gradient_ratio(game, member(early.state, i), k)) for i, k in enumerate(keys)
    ]
    metrics |= {"classifier_accuracy": [accuracy], **references}
    history = {"game": trained.history, "early": early.history}
    return Result(metrics, history, found[0][1], data.about)


def member(state, i: int):
    """Replica `i` of a state with a leading axis over seeds."""
    return jax.tree.map(lambda x: x[i], state)


def scores(config, game, state, start, key, data, classify) -> tuple[dict, dict]:
    """`(metrics, arrays for the figures)` of one replica, trained from `start` to `state`."""
    sample_key, figure_key, walk_key = (purpose(key, n) for n in ("samples", "figures", "walks"))
    generate = jax.jit(game.players.generate)
    n = config.parzen_samples
    z = game.players.noise(sample_key, n)
    samples, untrained = generate(state.generator, z), generate(start.generator, z)
    table_1, before = table_1_score(samples, data), table_1_score(untrained, data)
    mnist_score, spread = inception_score(classify(samples))
    shown = generate(state.generator, game.players.noise(figure_key, 20))
    nearest = nearest_images(shown[4::5], data.train)
    walks = digit_walks(generate, state.generator, game.players.noise(walk_key, 2000), classify)
    metrics = {
        "parzen": table_1["mean"],
        "parzen_stderr": table_1["stderr"],
        "parzen_sigma": table_1["sigma"],
        "parzen_untrained": before["mean"],
        "parzen_gain": table_1["mean"] - before["mean"],
        "mnist_score": mnist_score,
        "mnist_score_std_over_splits": spread,
    }
    arrays = {"samples": np.asarray(shown), "nearest": nearest, **walks}
    return metrics, arrays


def table_1_score(samples, data: Images) -> dict[str, jax.Array]:
    """The Parzen estimate of Table 1 by the released protocol; see `lib.metrics.parzen.parzen`."""
    arrays = (samples, pixels(data.valid), pixels(data.test), PAPER_SIGMAS)
    return _parzen(*map(jnp.asarray, arrays))


_parzen = jax.jit(parzen)


def nearest_images(samples: jax.Array, images: np.ndarray) -> np.ndarray:
    """The training image nearest to each sample in squared pixel distance, `[n, d]`."""
    distances = jax.jit(squared_distances)(samples, pixels(jnp.asarray(images)))
    return np.asarray(pixels(images[np.asarray(distances.argmin(axis=1))]))


def digit_walks(generate, params, z, classify, points: int = 9) -> dict[str, np.ndarray]:
    """Samples along straight lines in noise space between digits (Figure 3), `[points, d]` a chain.

    The ends are, among the candidates `z`, those that the classifier is surest of.
    """
    sure = jax.nn.log_softmax(classify(generate(params, z)))
    walks = {}
    for chain in CHAINS:
        ends = [z[sure[:, digit].argmax()] for digit in chain]
        parts = []
        for a, b in zip(ends[:-1], ends[1:], strict=True):
            weights = jnp.linspace(0, 1, (points - 1) // (len(ends) - 1) + 1)[:, None]
            parts.append((1 - weights) * a[None] + weights * b[None])
        line = jnp.concatenate([parts[0], *(part[1:] for part in parts[1:])])
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


def train_classifier(config: Config, keys, data: Images, watch: Watch):
    """A small MLP, for the MNIST score and Figure 3's ends: `(classify(x) -> logits, accuracy)`."""
    net = MLP(10, hidden=(512,), activation=nn.relu)
    tx = optax.adam(1e-3)
    inputs = (jnp.asarray(data.train), jnp.asarray(data.train_labels))

    def loss(params, batch, key):
        del key
        x, labels = batch
        logits = net.apply({"params": params}, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), {}

    rule = supervised(loss, tx)

    def init(key):
        return init_state(net.init(key, jnp.zeros((1, data.train.shape[1])))["params"], tx)

    def step(state, inputs, key, t):
        images, labels = inputs
        i = shuffled_indices(key, t, size=len(images), batch=config.batch)
        return rule(state, (pixels(images[i]), labels[i]), key)

    trained = train(
        "classifier",
        initialise(init, keys),
        step,
        keys,
        inputs,
        steps=config.classifier_steps,
        every=config.every,
        watch=watch,
    )
    params = member(trained.state, 0).params
    classify = jax.jit(lambda x: net.apply({"params": params}, x))
    right = classify(pixels(jnp.asarray(data.test))).argmax(axis=1) == jnp.asarray(data.test_labels)
    return classify, float(right.mean())


def reference_scores(config: Config, data: Images) -> dict[str, list[float]]:
    """What real training images, and k-means centroids, score as "samples"."""
    from sklearn.cluster import MiniBatchKMeans

    n = min(config.parzen_samples, len(data.train))
    images = pixels(data.train)
    clusters = min(n, len(images) // 5)
    means = MiniBatchKMeans(
        clusters, init="random", n_init=1, batch_size=4096, max_iter=1, random_state=0
    ).fit(images)
    real = float(table_1_score(images[:n], data)["mean"])
    centroids = float(table_1_score(means.cluster_centers_, data)["mean"])
    return {
        "parzen_of_training_images": [real],
        "parzen_of_kmeans": [centroids],
        "parzen_kmeans_advantage": [centroids - real],
    }
