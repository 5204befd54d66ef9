"""The small Fast R-CNN: what its arms share, what they learn from, where bins go, how it is scored."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.deformable import detection
from experiments.deformable.config import DETECTORS, PRESETS, Detection
from experiments.deformable.learning import BRANCHES
from experiments.deformable.scenes import SIDE, scenes
from lib.metrics.detection import Found
from lib.nn.deformable import DeformableRoIPool, pool
from lib.ops.boxes import decode, encode, iou
from lib.ops.sampling import roi_pool
from lib.run.keys import root_keys

RNG = np.random.default_rng(0)
SMOKE = PRESETS["smoke"]
SOME = scenes("test", 6)


def paths(params):
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


@pytest.fixture(scope="module")
def at_the_start():
    """Of each arm: parameters by path, and what it says of some regions."""
    rois = jnp.asarray(detection.proposals()[None, ::60] / 4)

    def begin(net):
        params = detection.fresh_detector(net, root_keys((0,)))
        params = jax.tree.map(lambda leaf: leaf[0], params)
        return params, net.apply({"params": params}, detection.inputs(SOME.images[:1]), rois)

    nets = {arm: detection.make_detector(SMOKE, arm) for arm in DETECTORS}
    return {arm: begin(net) for arm, net in nets.items()}


def test_all_arms_begin_as_the_same_function(at_the_start):
    params, (logits, boxes) = at_the_start["plain"]
    plain = paths(params)
    for arm in DETECTORS:
        params, said = at_the_start[arm]
        own = paths(params)
        assert plain.keys() <= own.keys()
        for path, leaf in plain.items():
            np.testing.assert_array_equal(own[path], leaf)
        np.testing.assert_allclose(said[0], logits, atol=1e-5)
        np.testing.assert_allclose(said[1], boxes, atol=1e-5)


def test_arms_have_the_branches_that_their_names_say(at_the_start):
    def extra(arm):
        own = paths(at_the_start[arm][0]).keys() - paths(at_the_start["plain"][0]).keys()
        assert all(any(branch in path for branch in BRANCHES) for path in own)
        return {path.rsplit("/", 2)[0] for path in own}

    assert extra("bins") == {"pool"}
    assert extra("convolutions") == {"trunk/conv4", "trunk/conv5", "trunk/conv6"}
    assert extra("both") == extra("bins") | extra("convolutions")


@pytest.fixture(scope="module")
def minibatch():
    arrays = tuple(map(jnp.asarray, (SOME.images, SOME.boxes, SOME.labels)))
    draw = jax.jit(detection.make_draw(4, 32))
    key = jax.random.key(0)
    return [jax.device_get(draw(arrays, key, t)) for t in (0, 1)]


def test_a_quarter_of_the_regions_are_of_objects_and_are_told_which(minibatch):
    images, squares, labels, boxes = minibatch[0]
    for image, regions, names, truths in zip(images, squares, labels, boxes, strict=True):
        which = next(i for i in range(6) if np.array_equal(SOME.images[i], image))
        shared = iou(regions, SOME.boxes[which])
        of_object = shared.max(axis=1) >= detection.OBJECT
        np.testing.assert_array_equal(names > 0, of_object)
        best = shared.argmax(axis=1)
        np.testing.assert_array_equal(names, np.where(of_object, SOME.labels[which][best], 0))
        np.testing.assert_array_equal(truths[of_object], SOME.boxes[which][best][of_object])
        all_shared = iou(detection.proposals(), SOME.boxes[which]).max(axis=1)
        there_are = int((all_shared >= detection.OBJECT).sum())
        assert of_object.sum() == min(8, there_are)
        assert len({tuple(region) for region in regions}) == 32


def test_the_next_minibatch_has_other_images_or_regions(minibatch):
    first, second = minibatch
    assert not np.array_equal(first[1], second[1])


def test_the_loss_of_boxes_is_of_objects_alone(at_the_start, minibatch):
    net, params = detection.make_detector(SMOKE, "plain"), at_the_start["plain"][0]
    images, squares, labels, boxes = minibatch[0]
    value = jax.jit(lambda batch: detection.loss(net, params, batch))

    def moved(which):
        return images, squares, labels, np.where(which[..., None], boxes + 3, boxes)

    same, other = value(moved(labels == 0)), value(moved(labels > 0))
    assert same == value((images, squares, labels, boxes)) != other


# --- Pooling --------------------------------------------------------------------------------------


def test_the_pooling_layer_begins_as_plain_pooling_and_then_does_what_its_offsets_say():
    x = RNG.normal(size=(2, 9, 8, 3)).astype(np.float32)
    rois = np.array([[[0, 0, 6, 6], [2, 1, 4, 3]], [[1, 1, 5, 5], [3, 2, 3, 6]]], np.float32)
    layer = DeformableRoIPool(3)
    params = layer.init(jax.random.key(0), x, rois)
    assert not np.any(params["params"]["offset"]["kernel"])
    wanted = [[roi_pool(image, roi[None], 3)[0] for roi in r] for image, r in zip(x, rois)]
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x, rois), wanted, atol=1e-5)
    said = RNG.normal(size=18).astype(np.float32)
    params["params"]["offset"]["bias"] = said
    offsets = np.broadcast_to(said.reshape(3, 3, 2), (2, 2, 3, 3, 2))
    moved = jax.jit(layer.apply)(params, x, rois)
    np.testing.assert_allclose(moved, pool(x, rois, 3, jnp.asarray(offsets)), atol=1e-5)
    assert np.abs(moved - np.array(wanted)).max() > 0.01


def test_bins_are_drawn_where_they_were_pooled():
    square = np.array([8, 12, 24, 24], np.float32)
    still = detection.bins_of(square, np.zeros((3, 3, 2)))
    np.testing.assert_allclose(still[0], [8, 12, 8, 8])
    np.testing.assert_allclose(still[8], [24, 28, 8, 8])
    offsets = np.zeros((3, 3, 2))
    offsets[1, 2] = (10, -5)  # by a side down, by half a side to the left
    moved = detection.bins_of(square, offsets)
    np.testing.assert_allclose(moved[5] - still[5], [24, -12, 0, 0])
    assert np.array_equal(np.delete(moved, 5, axis=0), np.delete(still, 5, axis=0))
    # What is pooled is one there and nowhere else: the mean of a map that is one in the drawn bin is one.
    rows, columns = (
        slice(int(a), int(a + s)) for a, s in (moved[4][[0, 2]] / 4, moved[4][[1, 3]] / 4)
    )
    lit = np.zeros((1, SIDE // 4, SIDE // 4, 1), np.float32)
    lit[0, rows, columns] = 1
    pooled = pool(lit, square[None, None] / 4, 3, jnp.asarray(offsets, jnp.float32)[None, None])
    assert pooled[0, 0, 1, 1, 0] == 1 and pooled[0, 0, 0, 0, 0] == 0


# --- Scores ---------------------------------------------------------------------------------------


def test_the_truth_scores_all_and_what_a_fresh_network_says_next_to_nothing(at_the_start):
    truth = [
        Found(boxes[labels > 0], labels[labels > 0], np.ones(int((labels > 0).sum())))
        for boxes, labels in zip(SOME.boxes, SOME.labels, strict=True)
    ]
    assert detection._precision(truth, SOME, 0.7) == 100
    net, params = detection.make_detector(SMOKE, "plain"), at_the_start["plain"][0]
    assert detection.precision(net, params, SOME, 0.5) < 20


def test_regions_cover_nearly_all_objects():
    some = scenes("valid", 100)
    shared = iou(detection.proposals(), some.boxes).max(axis=1)[some.labels > 0]
    assert (shared >= detection.OBJECT).mean() > 0.95
    said = encode(jnp.asarray(some.boxes[0, :1]), jnp.asarray(detection.proposals()[:1]))
    np.testing.assert_allclose(
        decode(said, detection.proposals()[:1]), some.boxes[0, :1], rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    "field, value, words",
    [("arms", ("plain", "all"), "no all"), ("arms", ("both",), "needs plain")],
)
def test_arms_that_there_are_not_are_named(field, value, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(Detection(), **{field: value})
