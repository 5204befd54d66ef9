"""What the game is judged with: the images, Table 1's estimate, a classifier, and two impostors."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan.config import Config
from lib.batches.indices import shuffled_indices
from lib.data import load
from lib.metrics.parzen import PAPER_SIGMAS, parzen
from lib.models.mlp import MLP
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state, supervised

SPLITS = ("train", "valid", "test")
"""The sources that parts ask for."""


class Images(NamedTuple):
    """Flattened images, uint8 `[n, d]`, and labels, int32 `[n]`, by split; no rows of one not asked for.

    `about`: split -> its description, for the record.
    """

    train: np.ndarray
    train_labels: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    about: dict[str, list[dict]]


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Images:
    """The three splits, or those `only`. Raises UserError where `lib.data.load` does."""
    wanted = [split for split in SPLITS if only is None or split in only]
    loaded = {
        split: load(config.dataset, getattr(config, f"{split}_split"), data_dir=data_dir)
        for split in wanted
    }

    def images(split: str) -> np.ndarray:
        if split not in loaded:
            return np.zeros((0, 0), np.uint8)
        return loaded[split].arrays["image"].reshape(len(loaded[split]), -1)

    def labels(split: str) -> np.ndarray:
        return loaded[split].arrays["label"] if split in loaded else np.zeros(0, np.int32)

    return Images(
        images("train"),
        labels("train"),
        images("valid"),
        images("test"),
        labels("test"),
        {split: [dataset.describe()] for split, dataset in loaded.items()},
    )


def pixels(images: jax.Array) -> jax.Array:
    """uint8 images as float32 in [0, 1]; not binarised."""
    return images.astype(np.float32) / np.float32(255)


def table_1_score(samples, data: Images) -> dict[str, jax.Array]:
    """The Parzen estimate of Table 1 by the released protocol; see `lib.metrics.parzen.parzen`."""
    arrays = (samples, pixels(data.valid), pixels(data.test), PAPER_SIGMAS)
    return _parzen(*map(jnp.asarray, arrays))


_parzen = jax.jit(parzen)


def train_classifier(config: Config, data: Images, watch: Watch):
    """A small MLP, for the MNIST score and Figure 3's ends: `(classify(x) -> logits, accuracy)`.

    The same for every seed of the game: one judge for all.
    """
    keys = root_keys((0,))
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
    params = jax.tree.map(lambda x: x[0], trained.state.params)
    classify = jax.jit(lambda x: net.apply({"params": params}, x))
    named = np.asarray(classify(pixels(data.test))).argmax(axis=1)
    return classify, float((named == data.test_labels).mean())


def references(
    config: Config, keys: jax.Array, data: Images, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """What real training images, and k-means centroids, score as "samples"; of no seed."""
    from sklearn.cluster import MiniBatchKMeans

    n = min(config.parzen_samples, len(data.train))
    images = pixels(data.train)
    clusters = min(n, len(images) // 5)
    means = MiniBatchKMeans(
        clusters, init="random", n_init=1, batch_size=4096, max_iter=1, random_state=0
    ).fit(images)
    real = float(table_1_score(images[:n], data)["mean"])
    centroids = float(table_1_score(means.cluster_centers_, data)["mean"])
    return Result(
        {
            "parzen_of_training_images": real,
            "parzen_of_kmeans": centroids,
            "parzen_kmeans_advantage": centroids - real,
        }
    )
