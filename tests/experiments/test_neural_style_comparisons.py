"""Neural style's comparisons: arms differ in what the claim says, and in nothing else.

Nothing is optimised here: `paint` puts an image in the optimiser's place and keeps what it was asked for.
"""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.neural_style import experiment, studies
from experiments.neural_style import network as network_module
from experiments.neural_style.config import PRESETS
from experiments.neural_style.experiment import PARTS, Data
from experiments.neural_style.studies import ADAM_RATES, RATIO_2016
from experiments.neural_style.style import (
    adam,
    from_pixels,
    lbfgs,
    losses,
    make_task,
    style_of,
    total_of,
)
from lib.base.errors import UserError
from lib.ops.resize import resize
from lib.run.keys import purpose, root_keys
from lib.run.loop import Trained, member
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.pixels import PixelState
from tests.experiments.neural_style_toy import toy_network

H, W = SHAPE = (32, 48)
CONFIG = replace(
    PRESETS["smoke"],
    network="vgg19",
    size=W,
    small=W,
    ratios=(1e-4, 1e-3, 1e-2),
    iterations=8,
    small_iterations=8,
    every=4,
    noises=3,
)
RATIO = 1e-4  # VGG's, where none is named


@pytest.fixture(scope="module")
def data():
    """A bright photograph and two darker artworks, the first of its size; a few levels more clip nothing."""
    rng = np.random.default_rng(0)

    def picture(h, w, least, most):
        return rng.integers(least, most, (h, w, 3), np.uint8)

    styles = {"tiles": picture(H, W, 130, 150), "ground": picture(W, H, 140, 170)}
    return Data(toy_network(), None, picture(H, W, 160, 220), styles, [], {})


@pytest.fixture
def seen(data):
    """Photograph and artworks as the network sees them."""
    artworks = [from_pixels(data.network, a, W) for a in data.styles.values()]
    return SimpleNamespace(photograph=from_pixels(data.network, data.content, W), artworks=artworks)


@pytest.fixture
def paint(data, monkeypatch):
    """`paint(part, image, rows)`: its result, and each training's task, starts, optimiser and length.

    `image(name)` is what each training ends with, or else where it began; `rows(name, i)` is added to
    chunk i of its curve; `evaluations` are each seed's, of L-BFGS.
    """

    def paint(part, image=lambda name: None, rows=None, seeds=(0, 1), evaluations=(8, 8)):
        asked = {}

        def optimise(network, name, task, start, keys, tx, *, iterations, every, watch):
            starts = jnp.stack([start(purpose(key, f"{name} start")) for key in keys])
            asked[name] = SimpleNamespace(task=task, starts=starts, tx=tx, iterations=iterations)
            end = image(name)
            ends = starts if end is None else jnp.stack([jnp.asarray(end)] * len(keys))
            found = [losses(network, member(ends, i), task) for i in range(len(keys))]
            row = {term: [f[term] for f in found] for term in found[0]}
            row["evaluations"] = [1.0] * len(keys)
            curve = [
                row | {"step": (i + 1) * every} | (rows(name, i) if rows else {})
                for i in range(iterations // every)
            ]
            state = PixelState(ends, None, jnp.asarray(evaluations[: len(keys)]))
            return Trained(state, curve)

        monkeypatch.setattr(studies, "optimise", optimise)
        monkeypatch.setattr(experiment, "optimise", optimise)
        return PARTS[part](CONFIG, root_keys(seeds), data, Watch(), {}), asked

    return paint


def positions(data, layer):
    """M of a layer."""
    image = jax.ShapeDtypeStruct((H, W, 3), "float32")
    shapes = jax.eval_shape(
        lambda x: data.network.features(data.network.params, x, (layer,)), image
    )
    return float(np.prod(shapes[layer].shape[:2]))


def weighed(weights):
    """The layers that count, each with its weight."""
    return {layer: float(np.sum(w)) for layer, w in weights.items() if np.any(w)}


def all_noise(training):
    """Whether each seed begins with white noise of its own, one level strong."""
    a, b = training.starts
    return 0.9 < np.std(a) < 1.1 and 0.9 < np.std(b) < 1.1 and np.abs(a - b).max() > 1


def test_figure_2_is_measured_against_the_photograph_and_each_of_its_artworks(data, seen, paint):
    layers = data.network.layers
    result, asked = paint("figure_2", lambda name: seen.photograph)
    assert list(asked) == ["style_tiles", "style_ground"]
    for training in asked.values():
        m = positions(data, layers.content)
        assert weighed(training.task.alpha) == pytest.approx({layers.content: RATIO / m})
        assert weighed(training.task.beta) == pytest.approx(dict.fromkeys(layers.style, 0.2))
        assert all_noise(training)
    grams = [training.task.grams["conv1_1"] for training in asked.values()]
    assert np.abs(grams[0] - grams[1]).max() > 1e-3 * np.abs(grams[0]).max()
    # The photograph itself; an image without content; one of the two artworks.
    assert result.metrics["style_left"] == pytest.approx([1, 1])
    assert result.metrics["content_left"] == [0, 0]
    result, _ = paint("figure_2", lambda name: np.zeros((H, W, 3)))
    assert result.metrics["content_left"] == pytest.approx([1, 1])
    result, asked = paint("figure_2", lambda name: seen.artworks[0])
    task = asked["style_ground"].task
    found = [style_of(losses(data.network, x, task)) for x in (seen.artworks[0], seen.photograph)]
    assert result.metrics["style_left"] == pytest.approx([0.5 * found[0] / found[1]] * 2, rel=1e-4)


def test_figure_2_tells_the_largest_rise_of_each_seed(paint):
    def rows(name, i):
        flat = {f"style_conv{block}_1": [0.0, 0.0] for block in range(1, 6)}
        return flat | {"content": [1.0 - 0.1 * i, 1.0 + (0.5 * i if name == "style_ground" else 0)]}

    assert paint("figure_2", rows=rows)[0].metrics["loss_rises"] == pytest.approx([0, 0.5])


def test_figure_1_matches_one_layers_content_or_the_style_of_growing_sets(data, seen, paint):
    layers = data.network.layers.style
    _, asked = paint("figure_1")
    for i, (letter, layer) in enumerate(zip("abcde", layers, strict=True)):
        content, style = (asked[f"{kind}_{letter}"] for kind in ("content", "style"))
        assert all_noise(content) and all_noise(style)
        assert weighed(content.task.beta) == weighed(style.task.alpha) == {}
        one = {layer: 1 / positions(data, layer)}
        assert weighed(content.task.alpha) == pytest.approx(one)
        shares = dict.fromkeys(layers[: i + 1], 1 / (i + 1))
        assert weighed(style.task.beta) == pytest.approx(shares)


def test_figure_1s_numbers_are_of_the_first_layer_against_the_last(data, seen, paint):
    stripes = {
        letter: np.sin(2 * np.pi * np.arange(W) / period)[None, :, None] * np.full((H, 1, 3), 90.0)
        for letter, period in (("a", 8), ("e", 16))
    }

    def image(name):
        kind, letter = name.split("_")
        if kind == "style":
            return stripes.get(letter, stripes["a"])
        return seen.photograph + {"a": 3, "e": 30}.get(letter, 0)

    metrics = paint("figure_1", image)[0].metrics
    assert metrics["reconstruction_psnr_a"] == pytest.approx([20 * np.log10(255 / 3)] * 2, abs=0.01)
    assert metrics["reconstruction_falls"] == pytest.approx([20, 20], abs=0.01)
    assert metrics["structure_grows"] == pytest.approx([2, 2], rel=0.25)
    empty = paint("figure_1", lambda name: np.zeros((H, W, 3)))[0].metrics
    for letter in "abcde":
        assert empty[f"reconstruction_left_{letter}"] == pytest.approx([1, 1])
        left = metrics[f"reconstruction_left_{letter}"]
        assert left == [0, 0] if letter in "bcd" else 0 < min(left)


def test_figure_3_has_growing_sets_in_rows_and_ratios_in_columns(data, paint):
    layers, m = data.network.layers, positions(data, data.network.layers.content)
    _, asked = paint("figure_3")
    assert len(asked) == 5 * len(CONFIG.ratios)
    for row in range(5):
        for column, ratio in enumerate(CONFIG.ratios):
            task = asked[f"grid_{row}_{column}"].task
            assert weighed(task.alpha) == pytest.approx({layers.content: ratio / m})
            shares = dict.fromkeys(layers.style[: row + 1], 1 / (row + 1))
            assert weighed(task.beta) == pytest.approx(shares)


def test_figure_3s_losses_are_not_weighed_and_are_compared_along_rows(seen, paint):
    def towards(columns):
        """Images that come from the artwork nearer to the photograph, in this order of columns."""

        def image(name):
            t = 0.2 + 0.3 * columns.index(int(name[-1]))
            return t * seen.photograph + (1 - t) * seen.artworks[0]

        return image

    # One image everywhere has one content loss everywhere, whatever it weighs.
    same = paint("figure_3", lambda name: seen.artworks[0])[0].metrics
    content = [same[f"grid_content_{column}"] for column in range(3)]
    assert np.allclose(content, content[0], rtol=1e-5)
    right, wrong = (
        paint("figure_3", towards(order))[0].metrics for order in ([0, 1, 2], [2, 1, 0])
    )
    for name in ("grid_content_falls", "grid_style_rises"):
        assert right[name] == [1, 1] and wrong[name] == [0, 0]


def test_figure_6_begins_at_the_photograph_the_artwork_and_noises_that_differ(data, seen, paint):
    result, asked = paint("figure_6")
    assert list(asked) == [
        f"initial_{x}" for x in ("content", "style", "noise_0", "noise_1", "noise_2")
    ]
    photograph, artwork, *noises = asked.values()
    for seed in (0, 1):
        np.testing.assert_array_equal(photograph.starts[seed], seen.photograph)
        np.testing.assert_array_equal(artwork.starts[seed], resize(seen.artworks[0], SHAPE))
        assert len({np.asarray(noise.starts[seed]).tobytes() for noise in noises}) == 3
    assert all(map(all_noise, noises))
    # One task: the starts are all that differs.
    m = positions(data, data.network.layers.content)
    assert weighed(photograph.task.alpha) == pytest.approx(
        {data.network.layers.content: RATIO_2016 / m}
    )
    for training in asked.values():
        jax.tree.map(np.testing.assert_array_equal, training.task, photograph.task)
        assert training.tx is photograph.tx and training.iterations == photograph.iterations
    totals = [
        [total_of(losses(data.network, training.starts[seed], training.task)) for seed in (0, 1)]
        for training in asked.values()
    ]
    spread = np.max(totals, axis=0) / np.min(totals, axis=0)
    assert result.metrics["initial_spread"] == pytest.approx(spread.tolist(), rel=1e-5)
    assert (spread > 1).all()


def test_figure_6s_noises_are_compared_as_images(paint):
    def levels(name):
        return np.full((H, W, 3), 10.0 * int(name[-1]) if "noise" in name else 50.0)

    assert paint("figure_6", levels)[0].metrics["noises_differ"] == pytest.approx([20, 20])
    # Noises that stay what they are do not count as images.
    assert max(paint("figure_6")[0].metrics["noises_differ"]) < 2


def test_figure_5_matches_the_content_on_two_layers_and_the_same_style(data, seen, paint):
    layers = data.network.layers

    def image(name):
        return seen.photograph + (3 if name == "layer_lower" else 30)

    result, asked = paint("figure_5", image)
    lower, higher = asked["layer_lower"].task, asked["layer_higher"].task
    for task, layer in ((lower, layers.lower), (higher, layers.content)):
        assert weighed(task.alpha) == pytest.approx({layer: RATIO_2016 / positions(data, layer)})
    assert layers.lower != layers.content
    jax.tree.map(np.testing.assert_array_equal, lower.beta, higher.beta)
    jax.tree.map(np.testing.assert_array_equal, lower.grams, higher.grams)
    assert weighed(lower.beta) == pytest.approx(dict.fromkeys(layers.style, 0.2))
    assert result.metrics["lower_keeps"] == pytest.approx([20, 20], abs=0.01)
    assert result.arrays["content_layers"].tolist() == ["conv2_2", "conv4_2"]


def test_equation_1_is_a_sum_over_positions_and_the_other_their_mean(data, seen, paint):
    layer = data.network.layers.content
    result, asked = paint("equation_1", lambda name: seen.photograph)
    summed, mean = asked["content_sum"].task, asked["content_mean"].task
    assert weighed(summed.alpha) == pytest.approx({layer: RATIO})
    assert weighed(mean.alpha) == pytest.approx({layer: RATIO / positions(data, layer)})
    jax.tree.map(np.testing.assert_array_equal, summed.beta, mean.beta)
    for name in ("content_sum_style_left", "content_mean_style_left"):
        assert result.metrics[name] == pytest.approx([1, 1])


def test_adam_has_as_many_gradients_as_l_bfgs_and_its_best_rate(paint):
    def rows(name, i):
        """L-BFGS ends at 2 and 4; Adam's middle rate is the best, and better with every chunk."""
        zero = {f"style_conv{block}_1": [0.0, 0.0] for block in range(1, 6)}
        best = name == f"adam_{ADAM_RATES[1]:g}"
        adams = [(3.0 if best else 9.0) - 0.1 * i, (5.0 if best else 9.0) - 0.1 * i]
        ends = [2.0, 4.0] if name == "lbfgs" else adams
        return zero | {"content": ends}

    result, asked = paint("optimisers", rows=rows, evaluations=(9, 14))
    assert asked["lbfgs"].tx is lbfgs(CONFIG.memory)
    assert asked["lbfgs"].iterations == CONFIG.small_iterations
    for rate in ADAM_RATES:
        training = asked[f"adam_{rate:g}"]
        assert training.tx is adam(rate) and all_noise(training)
        assert training.iterations == 16  # 14 gradients, in chunks of four
        assert float(training.tx.init(jnp.zeros(1)).hyperparams["learning_rate"]) == rate
        jax.tree.map(np.testing.assert_array_equal, training.task, asked["lbfgs"].task)
    assert len(asked) == 1 + len(set(ADAM_RATES))
    # Of the first seed, the loss after 12 gradients, whatever the second one took.
    expected = [(3.0 - 0.2) / 2, (5.0 - 0.3) / 4]
    assert result.metrics["adam_over_lbfgs"] == pytest.approx(expected)


def test_average_and_max_pooling_differ_in_the_pooling_alone(data, paint, monkeypatch):
    asked_for = []

    def pooled(plain, kind, precision, calibration):
        asked_for.append((plain, kind, precision, calibration))
        return data.network

    monkeypatch.setattr("experiments.neural_style.pooling.pooled", pooled)

    def rows(name, i):
        zero = {f"style_conv{block}_1": [0.0, 0.0] for block in range(1, 6)}
        return zero | {"style_conv1_1": [6.0, 3.0] if name == "pooling_max" else [2.0, 2.0]}

    result, asked = paint("pooling", rows=rows)
    assert [kind for _, kind, *_ in asked_for] == ["avg", "max"]
    assert all(
        other == [data.plain, "float32", data.calibration]
        for other in ([plain, *others] for plain, _, *others in asked_for)
    )
    average, largest = asked["pooling_avg"], asked["pooling_max"]
    jax.tree.map(np.testing.assert_array_equal, average.task, largest.task)
    assert average.tx is largest.tx and average.iterations == largest.iterations
    assert all_noise(average) and all_noise(largest)
    assert result.metrics["max_over_avg"] == pytest.approx([3, 1.5])


def test_another_pooling_is_another_network_normalised_with_it():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(2)]
    plain = toy_network()._replace(inputs={"conv1_1": (), "conv2_1": ("conv1_1",)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_module, "make_features", lambda name, kind, precision: toys[kind])
        patch.setattr(network_module, "normalised", lambda network, images: (network, images))
        toys = {"avg": toy_network().features, "max": lambda params, image, taps: {}}
        for kind in toys:
            network, images = network_module.pooled(plain, kind, "float32", pictures)
            assert network.features is toys[kind] and images is pictures
            assert network._replace(features=None) == plain._replace(features=None)


def test_both_optimisers_are_what_they_are_called():
    image = jnp.zeros((2, 2, 3))
    searched, not_searched = (
        repr(jax.tree.structure(tx.init(image))) for tx in (lbfgs(3), adam(1.0))
    )
    assert "ScaleByLBFGSState" in searched and "ScaleByZoomLinesearchState" in searched
    assert "ScaleByAdamState" in not_searched


def test_a_set_of_style_layers_weighs_as_much_as_one(data, seen):
    """Figure 3's rows differ by their layers, not by how much style counts beside content."""
    layers = data.network.layers.style
    for count in range(1, 6):
        task = make_task(
            data.network, seen.photograph, seen.artworks[:1], ratio=1, style_layers=layers[:count]
        )
        assert sum(weighed(task.beta).values()) == pytest.approx(1)


def test_a_run_that_began_with_another_network_is_not_continued(data):
    began = {"inputs": Result({}, arrays={"network": np.array("squeezenet1_1")})}
    with pytest.raises(UserError, match="began with squeezenet1_1, and auto is vgg19 now"):
        PARTS["figure_5"](CONFIG, root_keys((0,)), data, Watch(), began)
