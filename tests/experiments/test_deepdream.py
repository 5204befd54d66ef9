"""DeepDream's algorithm by hand and against SciPy, on networks of a few pixels; its comparisons."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from experiments.deepdream import dogs, enhancement, experiment, from_noise, guides, imbalance
from experiments.deepdream.claims import SHARE_OF_DOGS
from experiments.deepdream.config import PRESETS, Config
from experiments.deepdream.data import Data, photographs_of
from experiments.deepdream.dreaming import Dreamt
from experiments.deepdream.goals import (
    Goal,
    Network,
    energy,
    guided,
    likeness,
    of_classes,
    to_pixels,
    value,
)
from experiments.deepdream.layers import LAYERS, SCORES
from experiments.deepdream.measures import correlation, magnified, rank_correlation, wavelength
from experiments.deepdream.network import check_layer, entropy, make_features, prepare, untrained
from experiments.deepdream.octaves import Settings, compiled_climb, dream, natural, sizes
from lib.base.errors import UserError
from lib.ops.resize import resize_linear, zoomed
from lib.pretrained.classes import CLASSES, DOGS
from lib.run.keys import root_keys
from lib.run.watch import Watch

MEAN = np.float32([120, 110, 100])
KEY = jax.random.key(3)
STILL = Settings(octaves=1, iterations=3, jitter=0)
TRACED = []


def toy_features(params, image, taps):
    """A layer that is the image, and one whose pixels see their neighbours, round the border."""
    TRACED.append(image.shape)
    around = sum(jnp.roll(image, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (0, 1))
    seen = jax.nn.relu(jnp.einsum("hwc,cd->hwd", around, params["kernel"]))
    found = {"pixels": image, "seen": seen, "logits": seen.mean(axis=(0, 1))}
    return {tap: found[tap] for tap in taps}


@pytest.fixture(scope="module")
def toy():
    kernel = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    return Network("toy", toy_features, {"kernel": jnp.asarray(kernel)}, MEAN, 8)


@pytest.fixture
def image():
    levels = np.random.default_rng(1).uniform(60, 180, (12, 16, 3)).astype(np.float32)
    return levels - MEAN


def by_hand(toy, image, steps, size=1.5):
    """Plain gradient ascent on 1/2 |seen|^2, each step's mean absolute change `size`."""
    kernel = np.asarray(toy.params["kernel"], np.float64)
    shifts = [(i, j) for i in (-1, 0, 1) for j in (0, 1)]
    x = image.astype(np.float64)
    for _ in range(steps):
        around = sum(np.roll(x, s, (0, 1)) for s in shifts)
        a = np.maximum(around @ kernel, 0)
        back = a @ kernel.T
        g = sum(np.roll(back, (-i, -j), (0, 1)) for i, j in shifts)
        x = np.clip(x + size * g / np.abs(g).mean(), -MEAN, 255 - MEAN)
    return x


def test_without_jitter_and_octaves_it_is_plain_gradient_ascent(toy, image):
    found = dream(toy, image, energy("seen"), KEY, STILL).image
    np.testing.assert_allclose(found, by_hand(toy, image, 3), atol=2e-3)


def test_a_shift_is_undone_with_the_same_shift(toy, image):
    """What a network sees alike wherever it is comes out the same, however it was shifted."""
    still = dream(toy, image, energy("seen"), KEY, STILL).image
    shifted = dream(toy, image, energy("seen"), KEY, STILL._replace(jitter=5)).image
    np.testing.assert_allclose(shifted, still, atol=2e-3)


def test_shifts_reach_the_network(toy, image):
    """A layer that sees the left half only grows everywhere once the image is shifted."""

    def left(params, image, taps):
        return {tap: image[:, : image.shape[1] // 2] for tap in taps}

    half = toy._replace(features=left)
    settings = STILL._replace(iterations=30)
    still = dream(half, image, energy("left"), KEY, settings).image
    np.testing.assert_array_equal(still[:, 8:], image[:, 8:])
    shifted = dream(half, image, energy("left"), KEY, settings._replace(jitter=8)).image
    assert (np.abs(shifted[:, 8:] - image[:, 8:]).max(axis=(0, 2)) > 0).all()


def test_the_gradient_of_the_objective_is_the_layer_itself(toy, image):
    one = STILL._replace(iterations=1, clip=False)
    change = dream(toy, image, energy("pixels"), KEY, one).image - image
    np.testing.assert_allclose(change, 1.5 * image / np.abs(image).mean(), atol=1e-4)


@pytest.mark.parametrize("settings", [STILL, STILL._replace(random=True), STILL._replace(coarse=1)])
def test_every_step_is_as_long_as_it_says(settings, toy, image):
    one = settings._replace(iterations=1, clip=False, step=0.7, jitter=3)
    change = dream(toy, image, energy("seen"), KEY, one).image - image
    assert np.abs(change).mean() == pytest.approx(0.7, rel=1e-4)


def test_a_random_step_does_not_ask_the_network(toy, image):
    other = toy._replace(params={"kernel": -toy.params["kernel"]})
    settings = STILL._replace(random=True)
    a, b = (dream(n, image, energy("seen"), KEY, settings).image for n in (toy, other))
    np.testing.assert_array_equal(a, b)
    c = dream(toy, image, energy("seen"), jax.random.key(4), settings).image
    assert np.abs(a - c).max() > 1
    up = dream(toy, image, energy("seen"), KEY, STILL).image
    assert value(toy, up, energy("seen")) > 1.05 * value(toy, a, energy("seen"))


def test_pixels_stay_in_range_if_they_are_to(toy, image):
    long = STILL._replace(iterations=40, step=20)
    clipped = dream(toy, image, energy("seen"), KEY, long).image + MEAN
    assert clipped.min() >= -1e-3 and clipped.max() <= 255 + 1e-3
    free = dream(toy, image, energy("seen"), KEY, long._replace(clip=False)).image
    assert (free + MEAN).max() > 300
    shown = to_pixels(toy, free, clip=False)
    levels = free + MEAN
    wanted = np.clip(levels * 255 / np.percentile(levels, 99.98), 0, 255)
    assert np.abs(shown - wanted).max() <= 0.51
    np.testing.assert_array_equal(to_pixels(toy, image), np.rint(image + MEAN))


def test_the_objective_rises_at_every_octave(toy, image):
    curve = dream(toy, image, energy("seen"), KEY, Settings(octaves=2, iterations=4)).curve
    assert curve.shape == (2, 2) and (curve[:, 1] > curve[:, 0]).all()
    first = resize_linear(image, sizes((12, 16), Settings(octaves=2))[0])
    assert curve[0, 0] == pytest.approx(value(toy, first, energy("seen")), rel=1e-4)


def test_only_the_detail_goes_from_octave_to_octave(toy, image):
    """An image in which nothing is strengthened comes out as it went in, not enlarged and blurred."""
    found = dream(toy, image, energy("seen"), KEY, Settings(octaves=4, step=0.0)).image
    np.testing.assert_allclose(found, image, atol=1e-4)
    two = Settings(octaves=2, iterations=1, jitter=0, clip=False)
    small = resize_linear(image, sizes((12, 16), two)[0])
    once = two._replace(octaves=1)
    detail = dream(toy, small, energy("pixels"), KEY, once).image - small
    larger = image + resize_linear(detail, (12, 16))
    wanted = dream(toy, larger, energy("pixels"), KEY, once).image
    found = dream(toy, image, energy("pixels"), KEY, two).image
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_octaves_are_the_notebooks():
    assert sizes((575, 1024), Settings()) == [(210, 373), (294, 522), (411, 731), (575, 1024)]
    assert sizes((575, 1024), Settings(octaves=1)) == [(575, 1024)]


def test_one_program_an_octave_serves_all_layers_steps_and_images(toy, image):
    among, settings = ("pixels", "seen"), Settings(octaves=3, iterations=2)
    jax.clear_caches()
    TRACED.clear()
    for layer in among:
        for changed in (settings, settings._replace(iterations=5, step=2, random=True, coarse=1)):
            dream(toy, image + 1, energy(layer, among), KEY, changed)
    assert sorted(set(TRACED)) == sorted((h, w, 3) for h, w in sizes((12, 16), settings))
    assert len(TRACED) == 3
    alone = dream(toy, image, energy("seen"), KEY, settings).image
    among_others = dream(toy, image, energy("seen", among), KEY, settings).image
    np.testing.assert_allclose(alone, among_others, atol=1e-3)
    assert compiled_climb(toy_features) is compiled_climb(toy.features)


def test_a_guide_pulls_each_position_to_the_feature_it_is_most_like(toy, image):
    guide = np.random.default_rng(2).normal(size=(2, 2, 3)).astype(np.float32) * 50
    features = guide.reshape(-1, 3)
    goal = guided(toy, guide, "pixels")
    np.testing.assert_array_equal(goal.guide["pixels"], features)
    one = STILL._replace(iterations=1, clip=False)
    change = dream(toy, image, goal, KEY, one).image - image
    nearest = features[(image.reshape(-1, 3) @ features.T).argmax(axis=1)].reshape(image.shape)
    np.testing.assert_allclose(change, 1.5 * nearest / np.abs(nearest).mean(), atol=1e-4)
    assert value(toy, image, goal) == pytest.approx(
        (image.reshape(-1, 3) @ features.T).max(axis=1).sum(), rel=1e-5
    )


def test_likeness_is_the_mean_best_cosine(toy, image):
    assert likeness(toy, image, image, "pixels") == pytest.approx(1, abs=1e-5)
    assert likeness(toy, 3 * image, image, "pixels") == pytest.approx(1, abs=1e-5)
    red, green = (np.zeros((2, 2, 3), np.float32) for _ in range(2))
    red[..., 0], green[..., 1] = 1, 1
    assert likeness(toy, red, green, "pixels") == 0


def test_channels_are_summed_with_their_weights(toy, image):
    goal = of_classes("seen", [2], 5)
    around = sum(np.roll(image, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (0, 1))
    wanted = np.maximum(around @ np.asarray(toy.params["kernel"]), 0)[..., 2].sum()
    assert value(toy, image, goal) == pytest.approx(wanted, rel=1e-4)
    flat = of_classes("logits", [2], 5)
    assert value(toy, image, flat) == pytest.approx(wanted / 192, rel=1e-4)
    assert value(toy, image, Goal(energy={"pixels": jnp.float32(2)})) == pytest.approx(
        np.sum(image**2), rel=1e-4
    )


def test_the_prior_divides_amplitudes_by_frequency():
    x = np.random.default_rng(0).normal(size=(8, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(natural(x, 0.0), x, atol=1e-5)
    wave = np.cos(2 * np.pi * 3 * np.arange(12) / 12)[None, :, None] * np.ones((8, 1, 3))
    np.testing.assert_allclose(natural(wave, 1.0), wave * 4, atol=1e-4)
    np.testing.assert_allclose(natural(wave, 2.0), wave * 16, atol=1e-3)
    flat = np.ones((8, 12, 3))
    np.testing.assert_allclose(natural(flat, 1.0), flat * 12, rtol=1e-5)


@pytest.mark.parametrize("shape", [(7, 9), (20, 31), (12, 16), (1, 1)])
def test_linear_resizing_is_scipys_zoom(shape, image):
    factors = [n / length for n, length in zip(shape, (12, 16), strict=True)]
    wanted = ndimage.zoom(image, (*factors, 1), order=1)
    np.testing.assert_allclose(resize_linear(image, shape), wanted, atol=1e-3)


def test_zooming_is_scipys_affine_transform(image):
    s, (h, w) = 0.05, image.shape[:2]
    wanted = ndimage.affine_transform(image, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)
    np.testing.assert_allclose(zoomed(image, s), wanted, atol=1e-3)
    smooth = ndimage.gaussian_filter(image, (3, 3, 0))
    many = smooth
    for _ in range(4):
        many = zoomed(many, s)
    assert correlation(many, magnified(smooth, s, 4)) > 0.99


def test_a_waves_length_and_ranks():
    for period in (4, 8, 16):
        wave = 50 * np.sin(2 * np.pi * np.arange(64) / period)
        image = np.broadcast_to(wave[None, :, None], (64, 64, 3))
        assert wavelength(image) == pytest.approx(period, rel=0.1)
    assert rank_correlation(np.array([1.0, 5.0, 9.0])) == pytest.approx(1)
    assert rank_correlation(np.array([9.0, 5.0, 1.0])) == pytest.approx(-1)
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert entropy(np.eye(8)[0]) == 0


def test_classes_and_dogs_are_ilsvrcs():
    assert len(DOGS) == round(1000 * SHARE_OF_DOGS) == 118
    assert len(set(CLASSES.values())) == len(CLASSES) and not set(CLASSES.values()) & set(DOGS)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_that_is_named_is_there(name):
    from lib.pretrained.networks import NETWORKS

    features = make_features(name, "float32")
    shapes = {
        layer: {
            "kernel": jax.ShapeDtypeStruct(s, jnp.float32),
            "bias": jax.ShapeDtypeStruct(s[3:], jnp.float32),
        }
        for layer, s in NETWORKS[name].layers.items()
    }
    params = {}
    for layer, conv in shapes.items():
        inside = params
        *outer, last = layer.split("/")
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = conv
    layers = LAYERS[name]
    taps = (*layers.studied, layers.default, layers.low, layers.guide, SCORES, "logits")
    side = layers.least_side
    x = jax.ShapeDtypeStruct((side, side, 3), jnp.float32)
    found = jax.eval_shape(lambda p, x: features(p, x, taps), params, x)
    assert found[SCORES].shape[-1] == found["logits"].shape[0] == 1000
    smaller = jax.ShapeDtypeStruct((side - 1, side - 1, 3), jnp.float32)
    with pytest.raises((ValueError, ZeroDivisionError)):
        jax.eval_shape(lambda p, x: features(p, x, taps), params, smaller)


def test_scores_are_what_the_classifier_says_before_relu_and_mean(squeezenet):
    network = prepare(squeezenet)
    x = np.random.default_rng(0).normal(0, 50, (40, 40, 3)).astype(np.float32)
    found = network.features(network.params, x, (SCORES, "conv10", "logits"))
    np.testing.assert_allclose(np.maximum(found[SCORES], 0), found["conv10"], atol=1e-3)
    assert np.min(found[SCORES]) < 0
    with pytest.raises(UserError, match="no layer fire10; there are conv1, .*, scores"):
        check_layer(network, "fire10")
    with pytest.raises(UserError, match="logits has no positions"):
        check_layer(network, "logits", positions=True)
    check_layer(network, "fire2/squeeze", positions=True)
    mixed = untrained(network, KEY)
    for part in ("kernel", "bias"):
        before, after = (n.params["conv1"][part] for n in (network, mixed))
        np.testing.assert_array_equal(np.sort(np.ravel(before)), np.sort(np.ravel(after)))
    assert np.any(network.params["conv1"]["kernel"] != mixed.params["conv1"]["kernel"])


# The comparisons: what each arm is given.


class Sight:
    """Puts `dreams` in a part's place: keeps the items, gives back where they began."""

    def __init__(self, monkeypatch):
        self.items = {}

        def dreams(name, network, items, keys, watch):
            self.items = dict(items)
            begins = {
                n: np.stack([np.zeros((*i.begin, 3)) if isinstance(i.begin, tuple) else i.begin])
                for n, i in items.items()
            }
            rows = [
                {f"{e}_{o}": [1.0] for e in ("begun", "ended") for o in range(i.settings.octaves)}
                for i in items.values()
            ]
            return Dreamt(begins, {n: b + 1 for n, b in begins.items()}, rows)

        for module in (enhancement, dogs, guides, from_noise):
            monkeypatch.setattr(module, "dreams", dreams)


@pytest.fixture
def seen_items(monkeypatch, toy):
    """`seen_items(part)`: the dreams that a part asks for."""
    rng = np.random.default_rng(5)

    def picture(h, w):
        return rng.integers(60, 180, (h, w, 3), np.uint8)

    names = LAYERS["squeezenet1_1"]
    layers = {*names.studied, names.default, names.low, names.guide, SCORES, "logits"}

    def features(params, image, taps):
        return {
            tap: jnp.zeros(1000) + image.mean() if tap == "logits" else image[::2, ::2]
            for tap in taps
            if tap in layers
        }

    network = toy._replace(name="squeezenet1_1", features=features)
    photographs = {"one": picture(20, 30), "two": picture(40, 40)}
    guides = {"a": picture(80, 80), "b": picture(70, 90)}
    data = Data(network, network, photographs, guides, None, {})
    config = PRESETS["smoke"]
    sight = Sight(monkeypatch)

    def seen_items(part):
        with np.errstate(all="ignore"):
            experiment.PARTS[part](config, root_keys((0,)), data, Watch(), {})
        return sight.items

    seen_items.data, seen_items.config = data, config
    return seen_items


def differ(a, b):
    """In what two items differ."""
    found = {n for n in ("stream", "network") if getattr(a, n) != getattr(b, n)}
    if isinstance(a.begin, tuple) or isinstance(b.begin, tuple):
        found |= {"begin"} if a.begin != b.begin else set()
    elif not np.array_equal(a.begin, b.begin):
        found.add("begin")
    if a.goal is not b.goal and jax.tree.structure(a.goal) != jax.tree.structure(b.goal):
        found.add("goal")
    elif any(not np.array_equal(x, y) for x, y in zip(*map(jax.tree.leaves, (a.goal, b.goal)))):
        found.add("goal")
    pairs = zip(a.settings, b.settings, Settings._fields, strict=True)
    return found | {name for x, y, name in pairs if x != y}


def test_guided_and_unguided_differ_in_the_objective_alone(seen_items):
    items = seen_items("guided")
    assert list(items) == ["guide 0", "guide 1", "unguided"]
    for other in ("guide 1", "unguided"):
        assert differ(items["guide 0"], items[other]) == {"goal"}


def test_the_random_arm_differs_in_its_direction_alone(seen_items):
    items = seen_items("dream")
    for name in ("one", "two"):
        assert differ(items[f"{name} high"], items[f"{name} random"]) == {"random"}
        assert differ(items[f"{name} high"], items[f"{name} low"]) == {"goal"}
        flat = items[f"{name} flat"]
        assert differ(items[f"{name} high"], flat) == {"octaves", "iterations"}
        high = items[f"{name} high"].settings
        assert flat.settings.iterations == high.octaves * high.iterations
    items = seen_items("dogs")
    noise = [name for name in items if name.startswith("noise") and "random" not in name]
    assert len(noise) == 2
    for name in ("one", "two", *noise):
        assert differ(items[name], items[f"{name} random"]) == {"random"}


def test_layers_differ_in_the_layer_alone(seen_items):
    items = seen_items("layers")
    studied = LAYERS["squeezenet1_1"].studied
    for layer in studied[1:]:
        assert differ(items[f"one {studied[0]}"], items[f"one {layer}"]) == {"goal"}
    first = items[f"one {studied[0]}"]
    assert differ(first, items[f"one untrained {studied[0]}"]) == {"network"}


def test_classes_with_and_without_the_prior_differ_in_it_alone(seen_items):
    items = seen_items("classes")
    for name in seen_items.config.classes:
        assert differ(items[f"{name} prior"], items[f"{name} plain"]) == {"coarse"}


def test_all_photographs_have_the_first_ones_shape(seen_items):
    found = photographs_of(seen_items.config, seen_items.data)
    assert {x.shape for x in found.values()} == {(49, 73, 3)}
    assert all(x.min() >= -MEAN.max() and x.max() <= 255 - MEAN.min() for x in found.values())


def test_training_sets_differ_in_how_often_a_class_is_shown():
    labels = np.arange(5000) % 10
    balanced = imbalance.chosen(labels, 1000, None, 10, 0)
    favours = imbalance.chosen(labels, 1000, 3, 10, 0)
    assert len(balanced) == len(favours) == 1000
    np.testing.assert_array_equal(np.bincount(labels[balanced]), np.full(10, 100))
    counts = np.bincount(labels[favours])
    assert set(np.delete(counts, 3)) == {52} and counts[3] == 1000 - 9 * 52
    equal = imbalance.chosen(labels, 1000, 3, 1, 0)
    np.testing.assert_array_equal(np.sort(equal), np.sort(balanced))
    assert len(imbalance.chosen(labels[:100], 1000, None, 10, 0)) == 1000  # too few, repeated


def test_small_networks_dream_alike_and_equal_ones_gain_nothing(monkeypatch):
    """Nothing is trained and nothing dreamt: all networks of a seed are one, and dreams are the images."""
    asked, shown = [], []

    def small_dreams(params, key, images):
        asked.append((params, jax.random.key_data(key), np.asarray(images)))
        return np.asarray(images)

    def train(name, state, step, keys, inputs, **settings):
        shown.append((name, np.bincount(np.asarray(inputs[1]), minlength=10), settings["steps"]))
        return SimpleNamespace(state=state, history=[])

    monkeypatch.setattr(imbalance, "small_dreams", small_dreams)
    monkeypatch.setattr(imbalance, "train", train)
    config = PRESETS["smoke"]
    rng = np.random.default_rng(2)
    arrays = {"image": rng.integers(0, 256, (100, 8, 8), np.uint8), "label": np.arange(100) % 10}
    data = SimpleNamespace(small=(SimpleNamespace(arrays=arrays),) * 2)
    found = imbalance.imbalance(config, root_keys((0, 1)), data, Watch(), {}).metrics
    assert found["favoured_gain"] == [0, 0] and found["small_changed"] == [0, 0]
    assert found["favoured_share"] == found["favoured_share_balanced"]
    arms = 1 + len(config.favoured)
    assert len(asked) == 2 * arms
    for params, key, images in asked[:arms]:
        jax.tree.map(np.testing.assert_array_equal, params, asked[0][0])
        np.testing.assert_array_equal(key, asked[0][1])
        np.testing.assert_array_equal(images[..., 0], arrays["image"][: config.small_dreams])
    assert {steps for *_, steps in shown} == {config.small_steps}
    favoured = [counts.argmax() for name, counts, _ in shown if "favours" in name]
    assert favoured == list(config.favoured)

    # And if each favouring network dreams of its class alone, the balanced one of another: all is gained.
    dreamt = iter(2 * [0, *config.favoured])
    monkeypatch.setattr(
        imbalance, "small_dreams", lambda params, key, x: np.full(x.shape, next(dreamt), np.float32)
    )
    monkeypatch.setattr(imbalance, "_classify", lambda: lambda params, x: x[:, 0, 0, 0].astype(int))
    assert 0 not in config.favoured
    found = imbalance.imbalance(config, root_keys((0, 1)), data, Watch(), {}).metrics
    assert found["favoured_gain"] == [1, 1] and found["small_told_apart"] == pytest.approx([1, 1])


def test_dreams_are_told_apart_as_many_classes_as_are_named():
    assert imbalance.told_apart(np.arange(40) % 10) == pytest.approx(10)
    assert imbalance.told_apart(np.full(40, 3)) == pytest.approx(1)
    assert imbalance.told_apart(np.array([7, 8])) == pytest.approx(2)


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("octave_scale", 1.0, "--octave-scale must be above 1"),
        ("zoom", 1.0, "--zoom must be between 0 and 1"),
        ("size", 60, "--size and --class-size must be at least"),
        ("photographs", ("china",), "images are called photographs/NAME"),
        ("photographs", (), "--photographs must be different ones"),
        ("classes", ("dog",), "--classes are ant, "),
        ("favoured", (10,), "--favoured are classes from 0 to 9"),
    ],
)
def test_a_config_that_cannot_be(field, value, said):
    with pytest.raises(ValueError, match=said):
        Config(**{field: value})
