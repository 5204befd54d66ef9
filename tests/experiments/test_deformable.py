"""The deformable paper: what its comparisons rest on, and the command that looks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.deformable import data, dense, digits, look
from experiments.deformable.claims import CLAIMS
from experiments.deformable.config import ARMS, PRESETS, Config, Dense, Digits
from experiments.deformable.fields import effective_radius, random_stack
from experiments.deformable.learning import BRANCHES, Schedule, Task, fresh, learn, make_step
from experiments.deformable.scenes import CLASSES, LARGE, SIZES, SMALL, scenes
from lib.base.errors import UserError
from lib.base.weights import save_weights
from lib.data import catalogue
from lib.models.deformable import DigitClassifier, Segmenter, deform
from lib.ops.sampling import effective_dilation
from lib.run.claims import judge, verdict
from lib.run.keys import root_keys
from lib.run.paper import load_paper
from lib.run.watch import Watch

RNG = np.random.default_rng(0)
WIDTHS = (2, 3, 3, 2)
KEYS = root_keys((0,))


# --- The arms differ in what they are said to, and in nothing else ------------------------------


@pytest.fixture(scope="module")
def at_the_start():
    """Logits of every network on digits, with the weights of the plain one where they share them."""
    x = RNG.uniform(size=(3, 28, 28, 1)).astype(np.float32)

    def logits(net):
        variables = net.init(jax.random.key(0), x)
        return net.apply(variables, x)

    return {
        name: np.asarray(jax.jit(lambda net=net: logits(net))())
        for name, net in digits.make_nets(WIDTHS).items()
    }


def test_what_deforms_warps_or_filters_begins_as_the_plain_network(at_the_start):
    assert set(at_the_start) == set(ARMS)
    for name in ("transformer", "filter", "deformable_1", "deformable_2", "deformable_3"):
        np.testing.assert_allclose(at_the_start[name], at_the_start["plain"], atol=1e-5), name


def test_dilated_networks_are_other_functions_of_the_same_weights(at_the_start):
    for name in ("atrous_2", "atrous_4", "atrous_6"):
        assert np.abs(at_the_start[name] - at_the_start["plain"]).max() > 1e-3, name


def test_deforming_replaces_the_last_convolutions_and_keeps_their_weights():
    plain, x = Segmenter(3, (4,) * 6), jnp.zeros((1, 16, 16, 3))
    shapes = jax.eval_shape(plain.init, jax.random.key(0), x)["params"]
    deformed = jax.eval_shape(deform(plain, 2).init, jax.random.key(0), x)["params"]
    added = {name for name in deformed if deformed[name].keys() - shapes[name].keys()}
    assert added == {"conv5", "conv6"}
    assert all(deformed[name]["kernel"].shape == shapes[name]["kernel"].shape for name in added)
    with pytest.raises(ValueError, match="cannot deform 7 of 6"):
        deform(plain, 7)


def _tiny_task(change="scaled", count=40):
    images = RNG.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    labels = RNG.integers(0, 10, count).astype(np.int32)
    arrays = jnp.asarray(images), jnp.asarray(labels), digits.CHANGES[change]
    return Task(arrays, digits.make_draw(4), digits.cross_entropy, lambda net, params: 0.0)


class Rows(Watch):
    """Keeps what trainings report."""

    def __init__(self):
        self.rows = []

    def chunk(self, name, done, state, row, last):
        self.rows.append((name, row["loss"]))


@pytest.fixture(scope="module")
def tuned():
    """The parameters of a deformable network before and after two updates of its offsets, and the losses."""
    net = deform(DigitClassifier(WIDTHS), 3)
    params, watch, task = fresh(net, KEYS, 1, 28, 28, 1), Rows(), _tiny_task()
    ends = [
        learn(
            name,
            *(net, params, task, KEYS, watch),
            Schedule(steps=3, rates=(1e-2, 1e-3), trial=1, every=1),
            digits.TUNED["offsets"],
        )
        for name in ("one", "other")
    ]
    return jax.tree.map(lambda x: x[0], params), ends, watch.rows


def test_only_what_is_tuned_moves(tuned):
    before, (after, _), _ = tuned
    before = jax.tree_util.tree_leaves_with_path(before)
    for (path, old), new in zip(before, jax.tree.leaves(after.params[0]), strict=True):
        is_offset = any("offset" in str(key) for key in path)
        assert np.any(old != new) == is_offset, path


def test_arms_of_other_names_see_the_same_images(tuned):
    """... so that equal networks have equal losses throughout."""
    _, (one, other), rows = tuned
    losses = {name: [loss for n, loss in rows if n == name] for name, _ in rows}
    assert losses["one"] == losses["other"] and losses["one-0.01"] == losses["other-0.01"]
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)


def test_branches_have_a_learning_rate_of_their_own():
    """With none, what finds offsets, a warp or filters stays where it was, and all else learns."""
    schedule = Schedule(steps=2, rates=(1e-2,), trial=1, every=1, branch_rate=0.0)
    net = DigitClassifier(WIDTHS, deformed=3, transformed=True, filtered=True)
    params = fresh(net, KEYS, 1, 28, 28, 1)
    (after,) = learn("x", net, params, _tiny_task(), KEYS, Watch(), schedule).params
    before = jax.tree_util.tree_leaves_with_path(jax.tree.map(lambda x: x[0], params))
    for (path, old), new in zip(before, jax.tree.leaves(after), strict=True):
        words = "/".join(key.key for key in path)
        assert np.any(old != new) == (not any(b in words for b in BRANCHES)), words


def test_the_rate_that_scores_best_goes_on():
    net = DigitClassifier(WIDTHS)
    marked = _tiny_task()._replace(
        score=lambda net, params: float(np.abs(params["logits"]["bias"]).sum())
    )
    schedule = Schedule(steps=2, rates=(1e-4, 1e-2, 1e-3), trial=1, every=1)
    ended = learn("x", net, fresh(net, KEYS, 1, 28, 28, 1), marked, KEYS, Watch(), schedule)
    assert ended.rates == [pytest.approx(1e-2)]  # Adam's first step is as long as the rate
    assert set(ended.history) == {"x-0.0001", "x-0.01", "x-0.001", "x"}
    assert make_step(net, marked.draw, marked.loss) is make_step(net, marked.draw, marked.loss)


def test_equal_arms_gain_nothing_and_no_result_holds():
    found = digits.comparisons("scaled", {arm: [90.0, 91.0] for arm in ARMS})
    assert all(value == 0 for values in found.values() for value in values)
    neutral = {"dilation": 1.0, "field": 1.0}
    for claim in CLAIMS:
        if claim.kind == "result" and claim.holds_if != "at most":
            value = neutral.get(claim.metric.split("_")[0], 0.0)
            assert verdict(claim, [value] * 3) != "holds", claim.id


def test_that_three_are_enough_needs_three_that_gain():
    def says(three, six):
        gains = {"miou_deformable_0": 60.0, "miou_gain_3": three, "miou_gain_6_over_3": six}
        summaries = {
            name: {"mean": value, "std": 0.0, "per_seed": [value] * 3}
            for name, value in gains.items()
        }
        rows = judge(CLAIMS, summaries, "laptop", {"table_1": []})
        return next(row["verdict"] for row in rows if row["id"] == "saturates")

    assert says(three=0.0, six=0.0) == "undecided"
    assert (says(three=5.0, six=0.0), says(three=5.0, six=4.0)) == ("holds", "fails")


def test_comparisons_say_who_is_better():
    reached = {"plain": [90.0], "transformer": [92.0], "atrous_2": [91.0], "atrous_4": [93.0]}
    found = digits.comparisons("scaled", reached | {"deformable_3": [95.0]})
    assert found["scaled_removed_deformable_3"] == [0.5]
    assert found["scaled_over_atrous"] == [2.0] and found["scaled_over_transformer"] == [3.0]


# --- Digits and scenes --------------------------------------------------------------------------


def test_digits_unchanged_are_themselves_and_changed_ones_stay_within_bounds():
    images = np.zeros((50, 28, 28), np.uint8)
    images[:, 7:21, 7:21] = 255
    plain = digits.changed(jnp.asarray(images), jax.random.key(0), digits.CHANGES["plain"])
    np.testing.assert_allclose(plain[..., 0], images / 255, atol=1e-5)
    scaled = digits.held_out("scaled", images)[..., 0]
    inked = np.asarray(scaled.sum(axis=(1, 2)))
    assert 14**2 / 2.5**2 * 0.8 < inked.min() < inked.max() < 14**2 * 1.05
    turned = digits.held_out("turned", images)[..., 0]
    np.testing.assert_allclose(turned.sum(axis=(1, 2)), 14**2, rtol=0.03)  # a square's area stays
    np.testing.assert_array_equal(scaled, digits.held_out("scaled", images)[..., 0])


def test_scenes_are_functions_of_split_and_place_and_label_what_they_show():
    some = scenes("test", 6)
    for ours, theirs in zip(some, scenes("test", 3), strict=True):
        np.testing.assert_array_equal(ours[:3], theirs)
    assert not np.array_equal(some.images, scenes("train", 6).images)
    assert some.classes.max() < len(CLASSES) and some.sizes.max() < len(SIZES)
    np.testing.assert_array_equal(some.classes > 0, some.sizes > 0)
    for boxes, labels, classes in zip(some.boxes, some.labels, some.classes, strict=True):
        inside = np.zeros_like(classes, bool)
        for (top, left, height, width), label in zip(boxes.astype(int), labels, strict=True):
            inside[top : top + height, left : left + width] |= label > 0
        assert not (classes[~inside] > 0).any()
    assert SMALL < LARGE


@pytest.fixture
def devkit(tmp_path, monkeypatch):
    """VOC 2012's folders with five photographs to train on and two to score; masks say left or right."""
    entry = catalogue.find("voc2012_masks")
    small = dataclasses.replace(entry, sizes={"train": 5, "validation": 2})
    monkeypatch.setitem(catalogue.ENTRIES, "voc2012_masks", small)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.setattr(data, "SIDE", 8)
    top = tmp_path / "VOCdevkit/VOC2012"
    folders = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
    images, masks, lists = (top / name for name in folders)
    for folder in (images, masks, lists):
        folder.mkdir(parents=True)
    for i in range(7):
        size = (24, 16) if i % 2 else (16, 32)
        Image.new("RGB", size, (30 * i, 0, 0)).save(images / f"{i}.jpg")
        mask = np.full(size[::-1], 3, np.uint8)
        mask[:, size[0] // 2 :] = 20
        mask[size[1] // 2 :][:2] = 255
        Image.fromarray(mask).save(masks / f"{i}.png")
    (lists / "train.txt").write_text("0\n1\n2\n3\n4\n")
    (lists / "val.txt").write_text("5\n6\n")
    return tmp_path


def test_photographs_of_many_sizes_become_squares_and_choosing_ones_are_not_trained_on(devkit):
    config = Config(dense=Dense(dataset="voc2012_masks", train_scenes=9))
    loaded = data.load_data(config, devkit, only=("scenes",))
    shapes = {split: s.images.shape for split, s in loaded.scenes.items()}
    assert shapes == {"train": (4, 8, 8, 3), "valid": (1, 8, 8, 3), "test": (2, 8, 8, 3)}
    reds = [np.rint(s.images[..., 0].mean(axis=(1, 2)) / 30) for s in loaded.scenes.values()]
    assert sorted(np.concatenate(reds)) == list(range(7)) and set(reds[2]) == {5, 6}
    for split in loaded.scenes.values():
        assert set(np.unique(split.classes)) == {3, 20, 255}
        assert (split.classes[:, 0] == [3] * 4 + [20] * 4).all()
    assert [words["real"] for words in loaded.about["scenes"]] == [True] * 3
    assert dense.make_net(config).classes == 21


def test_the_middle_of_a_photograph_is_kept_with_its_mask():
    image, mask = np.zeros((4, 8, 3), np.uint8), np.arange(32, dtype=np.uint8).reshape(4, 8)
    image[..., 1] = mask
    halved = data.square(image, mask, 4)
    np.testing.assert_array_equal(halved[0][..., 1], mask[:, 2:6])
    np.testing.assert_array_equal(halved[1], mask[:, 2:6])
    assert data.square(image, mask, 2)[1].shape == (2, 2)


# --- Where the taps go --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def untrained():
    net = deform(Segmenter(4, (4,) * 6), 3)
    params = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    return net, params


def test_pixels_of_no_class_are_not_learned_from(untrained):
    net, params = untrained
    images, classes = scenes("test", 1).images, np.full((1, 16, 16), 255, np.uint8)
    classes[0, 3, 5] = 2
    logits = jax.jit(lambda x: net.apply({"params": params}, dense.inputs(x)))(images)[0, 3, 5]
    loss = jax.jit(lambda batch: dense.cross_entropy(net, params, batch))((images, classes))
    np.testing.assert_allclose(loss, np.log(np.exp(logits).sum()) - logits[2], rtol=1e-5)


def test_before_training_taps_are_the_dilated_grid(untrained):
    net, params = untrained
    looks = dense.places(net)(params, scenes("test", 2).images)
    assert set(looks) == {"conv4", "conv5", "conv6"} and looks["conv6"].shape == (2, 16, 16, 9, 2)
    for points in looks.values():
        np.testing.assert_allclose(effective_dilation(points, (3, 3)), 2, atol=1e-5)


def test_a_unit_of_three_regular_layers_looks_at_729_points_13_wide():
    rows, columns = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    corner = np.stack([rows, columns], axis=-1)[:, :, None]
    grid = np.stack(np.meshgrid([-2, 0, 2], [-2, 0, 2], indexing="ij"), axis=-1).reshape(1, 1, 9, 2)
    looks = dict.fromkeys(("conv4", "conv5", "conv6"), (corner + grid).astype(float))
    points = dense.stacked_points(looks, np.array([8, 7]))
    assert points.shape == (729, 2)
    np.testing.assert_array_equal([points.min(axis=0), points.max(axis=0)], [[2, 1], [14, 13]])
    np.testing.assert_allclose(points.mean(axis=0), [8, 7])


def test_layers_below_are_read_where_the_layers_above_look():
    looks = {name: np.zeros((5, 5, 9, 2)) for name in ("conv5", "conv6")}
    looks["conv6"][2, 2] = [4, 1]  # all taps of this unit at (4, 1)
    looks["conv5"][4, 1] = [0, 3]
    np.testing.assert_array_equal(
        np.unique(dense.stacked_points(looks, np.array([2, 2])), axis=0), [[0, 3]]
    )


def test_the_middle_of_a_region_is_farthest_from_its_border():
    region = np.zeros((9, 9), bool)
    region[2:7, 0:5] = True
    assert dense._most_inside(region) == ((4, 2), 3)


def test_units_are_drawn_where_they_name_pixels():
    named = jax.image.resize(jnp.zeros((6, 6)).at[2, 3].set(1), (24, 24), "bilinear")
    middle = np.einsum("ij,kij->k", named / named.sum(), np.indices((24, 24)))
    np.testing.assert_allclose(dense.in_pixels(np.array([2, 3])), middle, atol=1e-5)


@pytest.mark.parametrize("rectified", [False, True])
def test_one_random_layer_sees_nine_pixels_and_the_radius_counts_them(rectified):
    field = np.asarray(random_stack(jax.random.key(0), rectified, depth=1))
    assert field.shape == (3, 3) and (field > 0).all()
    uniform = np.pad(np.ones((3, 3)), 2)
    assert effective_radius(uniform) == 3.0
    assert effective_radius(np.pad(np.array([[1, 0.04]]), 1)) == 1.0


# --- Configs and the command --------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Digits(arms=("transformer",)), "needs plain"),
        (lambda: Digits(arms=("plain", "pooled")), "no pooled"),
        (lambda: Digits(widths=(1, 2, 3)), "four sizes"),
        (lambda: Digits(rates=()), "rates"),
        (lambda: Dense(deformed=(0, 1)), "0 and 3"),
        (lambda: Dense(deformed=(3, 0)), "begins with 0"),
        (lambda: Dense(dilations=()), "dilations"),
        (lambda: dataclasses.replace(Config().field, depths=(5,)), "depths"),
    ],
)
def test_impossible_values_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_all_parts_are_more_parts_and_the_same_numbers():
    paper, few = load_paper("experiments.deformable"), PRESETS["laptop"]
    every = dataclasses.replace(few, all_parts=True)
    assert set(paper.chosen(every)) == set(paper.parts) > set(paper.chosen(few))
    assert paper.identity(every) == paper.identity(few)


@pytest.fixture
def run(untrained, tmp_path):
    net, params = untrained
    about = {"paper": "deformable", "deformed": "3"}
    save_weights(tmp_path / look.NAME, jax.device_get(params), about)
    return tmp_path


def picture(path, mode="RGB", size=(90, 60)):
    Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)).convert(
        mode
    ).save(path)
    return str(path)


def test_looking_draws_a_grid_of_units_or_the_one_named(run, tmp_path, capsys):
    image, out = picture(tmp_path / "in.png", "LA"), tmp_path / "out.png"
    look.main([str(run), image, str(out)])
    assert "9 units, each of 729 points, on (43, 64) pixels" in capsys.readouterr().out
    grid = Image.open(out).size
    look.main([str(run), image, str(out), "--unit", "10", "63"])
    assert Image.open(out).size[0] < grid[0]


@pytest.mark.parametrize(
    "words, message",
    [
        (["{run}", "{image}", "{out}", "--unit", "43", "0"], "outside of 43 x 64"),
        (["{run}/none", "{image}", "{out}"], "none"),
        (["{image}", "{image}", "{out}"], "not a sound safetensors"),
        (["{run}", "{run}/no.png", "{out}"], "no.png"),
        (["{run}", "{image}", "{run}/out.gif"], "the drawing is a .png"),
        (["{run}", "{image}", "{out}", "--side", "8"], "from 16 to 1024"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(run, tmp_path, words, message):
    names = {"run": run, "image": picture(tmp_path / "in.png"), "out": tmp_path / "out.png"}
    with pytest.raises(UserError, match=message):
        look.main([word.format(**names) for word in words])
    assert not (tmp_path / "out.png").exists()


def test_weights_of_another_paper_are_refused(run, untrained):
    save_weights(run / look.NAME, jax.device_get(untrained[1]), {"paper": "gan"})
    with pytest.raises(UserError, match="weights of gan"):
        look.load(run)
