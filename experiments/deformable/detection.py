"""A small Fast R-CNN on scenes of shapes: RoI pooling whose bins move (section 2.2, Table 3, Figure 7)."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deformable.config import Config
from experiments.deformable.data import Data
from experiments.deformable.dense import AT_ONCE, STRIDE, inputs, make_net
from experiments.deformable.learning import Schedule, Task, learn, trial_of
from experiments.deformable.scenes import CLASSES, SIDE, Scenes
from lib.batches.indices import shuffled_indices
from lib.metrics.detection import Found, mean_average_precision, suppressed
from lib.models.deformable import LAST, Detector, deform
from lib.ops.boxes import decode, encode, iou
from lib.run.keys import purpose
from lib.run.loop import initialise
from lib.run.result import Result
from lib.run.watch import Watch

ARMS = {
    "plain": (0, False),
    "convolutions": (LAST, False),
    "bins": (0, True),
    "both": (LAST, True),
}
"""Table 3's rows of Faster R-CNN: convolutions that are deformable, and whether RoI pooling is."""
THRESHOLDS = {"50": 0.5, "70": 0.7}
SIDES = (12, 20, 32, 44, 56)
"""Of the squares that are looked into, in pixels."""
OBJECT = 0.5
"""A region with this IoU with an object is one of it (Girshick 2015)."""
OVERLAP = 0.3
"""Of two detections of a class that overlap more the less sure one goes."""
SURE = 0.05
"""Detections less sure than this are left out."""


def proposals() -> np.ndarray:
    """The regions that every network looks into, float32 `[r, 4]` in pixels: squares, `STRIDE` apart.

    Fixed, as those of the paper's comparison are (there another network's proposals).
    """
    squares = []
    for side in SIDES:
        starts = np.arange(0, SIDE - side + 1, STRIDE)
        corners = np.stack(np.meshgrid(starts, starts, indexing="ij"), axis=-1).reshape(-1, 2)
        squares.append(np.concatenate([corners, np.full_like(corners, side)], axis=1))
    return np.concatenate(squares).astype(np.float32)


def make_detector(config: Config, arm: str) -> Detector:
    """The network of an arm; those of all arms have the same layers but for what deforms."""
    deformed, deformed_bins = ARMS[arm]
    size = config.detection
    trunk = deform(make_net(config), deformed)
    return Detector(trunk, size.bins, size.hidden, deformed_bins)


@functools.cache
def make_draw(batch: int, regions: int) -> Callable:
    """The t-th minibatch: images, and of each `regions` proposals, a quarter of objects if possible.

    `(images, rois, labels, boxes)`: `[b, h, w, 3]`, `[b, r, 4]`, classes `[b, r]` (0: none), `[b, r, 4]`.
    """
    squares, of_objects = jnp.asarray(proposals()), regions // 4

    def draw(data, key, t):
        images, boxes, labels = data
        i = shuffled_indices(purpose(key, "order"), t, size=len(images), batch=batch)
        luck = jax.random.fold_in(purpose(key, "regions"), t)

        def of_image(boxes, labels, key):
            shared = iou(squares, boxes)
            best, which = shared.max(axis=1), shared.argmax(axis=1)
            is_object = best >= OBJECT
            # Among equals the draw decides: objects' regions first for a quarter, then the others first.
            draws = jax.random.uniform(key, best.shape)
            first = jax.lax.top_k(draws + is_object, of_objects)[1]
            left = (draws + ~is_object).at[first].set(-1)
            chosen = jnp.concatenate([first, jax.lax.top_k(left, regions - of_objects)[1]])
            target = which[chosen]
            return squares[chosen], jnp.where(is_object[chosen], labels[target], 0), boxes[target]

        keys = jax.random.split(luck, batch)
        return images[i], *jax.vmap(of_image)(boxes[i], labels[i], keys)

    return draw


def rois_of(squares: jax.Array) -> jax.Array:
    """Regions in pixels as RoIs in positions of the features."""
    return squares / STRIDE


def loss(net: Detector, params, batch) -> jax.Array:
    """Fast R-CNN's: cross-entropy of classes and smooth L1 of objects' boxes; means over regions."""
    images, squares, labels, boxes = batch
    logits, said = net.apply({"params": params}, inputs(images), rois_of(squares))
    named = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    placed = optax.huber_loss(said, encode(boxes, squares)).sum(axis=-1) * (labels > 0)
    return (named + placed).mean()


@functools.lru_cache(maxsize=8)
def _looked(net: Detector):
    squares = jnp.asarray(proposals())[None]

    def looked(params, images):
        rois = jnp.broadcast_to(rois_of(squares), (len(images), *squares.shape[1:]))
        (logits, said), kept = net.apply(
            {"params": params}, inputs(images), rois, mutable=["intermediates"]
        )
        moved = kept.get("intermediates", {}).get("pool", {}).get("offsets", (jnp.zeros(0),))[0]
        return jax.nn.softmax(logits), decode(said, squares), moved

    return jax.jit(looked)


def detect(net: Detector, params, images: np.ndarray) -> list[Found]:
    """What a network finds in each image, boxes in pixels."""
    detected = []
    for start in range(0, len(images), AT_ONCE):
        shares, boxes, _ = map(np.asarray, _looked(net)(params, images[start : start + AT_ONCE]))
        detected += [_of_image(*of_image) for of_image in zip(shares, boxes, strict=True)]
    return detected


def _of_image(shares: np.ndarray, boxes: np.ndarray) -> Found:
    kept = []
    for name in range(1, len(CLASSES)):
        sure = np.flatnonzero(shares[:, name] >= SURE)
        stays = sure[suppressed(boxes[sure], shares[sure, name], OVERLAP)]
        kept.append(Found(boxes[stays], np.full(len(stays), name), shares[stays, name]))
    return Found(*map(np.concatenate, zip(*kept, strict=True)))


def precision(net: Detector, params, scenes: Scenes, threshold: float) -> float:
    """Mean average precision at an IoU, in percent."""
    return _precision(detect(net, params, scenes.images), scenes, threshold)


def _precision(detected: list[Found], scenes: Scenes, threshold: float) -> float:
    classes = range(1, len(CLASSES))
    return mean_average_precision(detected, scenes.boxes, scenes.labels, classes, threshold)


def detection(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Table 3's rows of Faster R-CNN: deformable convolutions, deformable RoI pooling, both; Figure 7."""
    sizes, train, valid, test = (
        config.detection,
        *(data.scenes[split] for split in ("train", "valid", "test")),
    )
    arrays = tuple(map(jnp.asarray, (train.images, train.boxes, train.labels)))
    task = Task(
        arrays,
        make_draw(sizes.batch, sizes.regions),
        loss,
        lambda net, params: precision(net, params, valid, THRESHOLDS["50"]),
    )
    schedule = Schedule(
        sizes.steps, sizes.rates, trial_of(sizes.steps), config.every, config.branch_rate
    )
    metrics, history, pictures = {}, {}, {}
    for arm in sizes.arms:
        net = make_detector(config, arm)
        params = fresh_detector(net, keys)
        ended = learn(f"detection-{arm}", net, params, task, keys, watch, schedule)
        history |= ended.history
        metrics[f"detection_rate_{arm}"] = ended.rates
        detected = [detect(net, p, test.images) for p in ended.params]
        for name, threshold in THRESHOLDS.items():
            metrics[f"map_{name}_{arm}"] = [_precision(f, test, threshold) for f in detected]
        if ARMS[arm][1]:
            pictures = figure_7_arrays(net, ended.params[0], test)
    for name in THRESHOLDS:
        plain = np.asarray(metrics[f"map_{name}_plain"])
        for arm in sizes.arms:
            if arm != "plain":
                gain = np.asarray(metrics[f"map_{name}_{arm}"]) - plain
                metrics[f"map_{name}_gain_{arm}"] = gain.tolist()
    return Result(metrics, history, arrays=pictures)


def fresh_detector(net: Detector, keys: jax.Array):
    """Initial parameters, stacked over seeds: equal where nets share a layer."""
    images, rois = jnp.zeros((1, SIDE, SIDE, 3)), jnp.zeros((1, 1, 4))
    return initialise(
        lambda key: net.init(purpose(key, "weights"), images, rois)["params"], keys, conv=True
    )


SHOWN = 4
"""Scenes in Figure 7."""


def figure_7_arrays(net: Detector, params, test: Scenes) -> dict[str, np.ndarray]:
    """Scenes, the region of the largest object that is found best, and where its bins went.

    `figure_7_images` `[s, h, w, 3]`, `figure_7_regions` `[s, 4]`, `figure_7_bins` `[s, k * k, 4]`: top, left,
    height and width in pixels.
    """
    images = test.images[:AT_ONCE]
    shares, _, moved = map(np.asarray, _looked(net)(params, images))
    squares = proposals()
    regions, bins = [], []
    for i in range(min(SHOWN, len(images))):
        largest = int(test.boxes[i, :, 2:].prod(axis=-1).argmax())
        over = iou(squares, test.boxes[i])[:, largest] >= OBJECT
        scores = np.where(over, shares[i, :, test.labels[i, largest]], -1)
        best = int(scores.argmax())
        regions.append(squares[best])
        bins.append(bins_of(squares[best], moved[i, best]))
    return {
        "figure_7_images": images[: len(regions)],
        "figure_7_regions": np.stack(regions),
        "figure_7_bins": np.stack(bins),
    }


def bins_of(square: np.ndarray, moved: np.ndarray, gamma: float = 0.1) -> np.ndarray:
    """Where the bins of a region of `[4]` pixels lie, moved by offsets `[k, k, 2]`: `[k * k, 4]` pixels."""
    k = len(moved)
    side = rois_of(square)[2:]
    number = np.stack(np.meshgrid(range(k), range(k), indexing="ij"), axis=-1)
    first, end = np.floor(number * side / k), np.ceil((number + 1) * side / k)
    start = square[:2] + STRIDE * (first + gamma * moved * side)
    return np.concatenate([start, STRIDE * (end - first)], axis=-1).reshape(-1, 4)
