"""Ways back to the pixels by hand and against autodiff; maps of what matters; `explain`."""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from experiments.visualisation import digits, experiment, figures, maps, patches, sensitivity
from experiments.visualisation.config import Config
from experiments.visualisation.deconvnet import (
    backward,
    convolve,
    forward,
    pool,
    strongest,
    transposed,
    unpool,
)
from lib.base.errors import UserError
from lib.pictures.picture import read_picture
from tests.experiments.commands import commander, files, help_without_jax

RNG = np.random.default_rng(0)
KERNELS = [
    jnp.asarray(RNG.normal(size=shape).astype(np.float32)) for shape in ((3, 3, 1, 4), (3, 3, 4, 5))
]
BIASES = [jnp.asarray(RNG.normal(size=n).astype(np.float32)) for n in (4, 5)]
X = jnp.asarray(RNG.normal(size=(3, 8, 8, 1)).astype(np.float32))


def test_unpooling_puts_each_maximum_in_its_place_and_zero_elsewhere():
    x = RNG.permutation(32).reshape(1, 4, 4, 2).astype(np.float32) + 1
    pooled, switches = pool(jnp.asarray(x))
    back = np.asarray(unpool(pooled, switches))
    for i in range(2):
        for j in range(2):
            for c in range(2):
                window = x[0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
                wanted = np.where(window == window.max(), window, 0)
                assert pooled[0, i, j, c] == window.max()
                np.testing.assert_array_equal(
                    back[0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c], wanted
                )


def test_of_equal_values_one_has_the_switch():
    _, switches = pool(jnp.zeros((1, 4, 4, 1)))
    np.testing.assert_array_equal(switches[0, :, :, 0], np.tile([[1, 0], [0, 0]], (2, 2)))


def test_a_transposed_convolution_is_the_transpose():
    y = jnp.asarray(RNG.normal(size=(3, 8, 8, 4)).astype(np.float32))
    there = jnp.vdot(convolve(X, KERNELS[0]), y)
    back = jnp.vdot(X, transposed(y, KERNELS[0]))
    assert float(there) == pytest.approx(float(back), rel=1e-4)


@pytest.fixture(scope="module")
def layers():
    return forward(KERNELS, BIASES, X)


@pytest.fixture(scope="module")
def signal(layers):
    return strongest(layers[1].activations, 2, 2)


def test_the_strongest_activations_are_the_largest(layers, signal):
    chosen, signal = signal
    a = np.asarray(layers[1].activations[..., 2])
    tops = a.reshape(3, -1).max(axis=1)
    np.testing.assert_array_equal(chosen, np.argsort(-tops)[:2])
    for i, example in enumerate(np.asarray(chosen)):
        assert np.count_nonzero(signal[i]) == 1
        y, x, c = np.argwhere(np.asarray(signal[i]))[0]
        assert c == 2 and signal[i, y, x, c] == a[example].max() == a[example, y, x]


def of(layers, chosen):
    return [jax.tree.map(lambda a: a[chosen], layer) for layer in layers]


def test_with_the_activations_signs_it_is_the_gradient(layers, signal):
    chosen, signal = signal

    def second(x):
        return jnp.sum(forward(KERNELS, BIASES, x)[1].activations * signal)

    wanted = jax.grad(second)(X[chosen])
    found = backward(KERNELS, of(layers, chosen), signal, "gradient")
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert patches.gradient_gap(KERNELS, BIASES, X[chosen], signal, np.asarray(found)) < 1e-5


def test_the_deconvnets_relu_is_of_what_comes_back(layers, signal):
    """By hand, layer by layer; neither the gradient's ReLU nor none gives the same."""
    chosen, signal = signal
    mine = of(layers, chosen)
    after = np.maximum(np.asarray(transposed(jnp.maximum(signal, 0), KERNELS[1])), -np.inf)
    spread = unpool(jnp.asarray(after), mine[0].switches)
    wanted = transposed(jnp.maximum(spread, 0), KERNELS[0])
    found = backward(KERNELS, mine, signal, "deconvnet")
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert float(jnp.minimum(spread, 0).min()) < 0, "else nothing was rectified"
    for rule in ("gradient", "linear"):
        assert np.abs(found - backward(KERNELS, mine, signal, rule)).max() > 1e-2


def test_of_a_positive_network_all_three_are_the_same(signal):
    kernels, biases = [jnp.abs(k) for k in KERNELS], [jnp.abs(b) for b in BIASES]
    layers = forward(kernels, biases, jnp.abs(X) + 0.1)
    _, signal = strongest(layers[1].activations, 1, 3)
    chosen = strongest(layers[1].activations, 1, 3)[0]
    found = [backward(kernels, of(layers, chosen), signal, r) for r in ("deconvnet", "gradient")]
    np.testing.assert_allclose(*found, rtol=1e-5)
    linear = backward(kernels, of(layers, chosen), signal, "linear")
    np.testing.assert_allclose(found[0], linear, rtol=1e-5)


def test_an_activation_sees_no_farther_than_its_patch():
    kernels = [jnp.ones((5, 5, 1, 1)), jnp.ones((5, 5, 1, 1))]
    x = jnp.asarray(RNG.uniform(size=(1, 32, 32, 1)).astype(np.float32))
    layers = forward(kernels, [jnp.zeros(1)] * 2, x)
    signal = jnp.zeros((1, 16, 16, 1)).at[0, 8, 7, 0].set(1.0)
    (place,) = patches.centres(np.asarray(signal))
    assert place == (16, 14)
    back = np.asarray(backward(kernels, layers, signal, "gradient"))[0, :, :, 0]
    inside = patches.cut(back, place)
    assert inside.shape == (15, 15) and inside.sum() == pytest.approx(back.sum(), rel=1e-5)


def test_the_trained_network_is_the_one_that_is_looked_into():
    params = digits.init_params(jax.random.key(0), (4, 6), (8, 8))
    images = jnp.asarray(RNG.integers(0, 256, (2, 8, 8, 1)), jnp.float32)
    last = forward(*digits.parts_of(params), images / 255)[-1].pooled
    wanted = last.reshape(2, -1) @ params["classes"]["kernel"]
    np.testing.assert_allclose(digits.digits_logits(params, images), wanted, atol=1e-4)


def test_cosines_and_correlations():
    a, b = np.eye(3)[:2], np.eye(3)[1:]
    assert patches.mean_cosine([a, a, a]) == pytest.approx(1)
    assert patches.mean_cosine([np.eye(2), 1 - np.eye(2)]) == 0
    assert patches.correlation(a, 3 * a + 1) == pytest.approx(1)
    assert patches.correlation(a, b) < 0.5 and patches.correlation(a, np.ones(a.shape)) == 0
    assert maps.rank_correlation(np.arange(6.0), np.exp(np.arange(6.0))) == pytest.approx(1)


# Maps of a linear classifier of brightness: class 1 looks at the left upper quarter.


WEIGHT = np.zeros((8, 8, 3), np.float32)
WEIGHT[:4, :4] = [0.01, -0.03, 0.02]


def logits(params, images):
    score = jnp.einsum("nhwc,hwc->n", images, jnp.asarray(params))
    return jnp.stack([0 * score, score], axis=1)


IMAGE = np.full((8, 8, 3), 200, np.float32)
IMAGE[..., 1] = 10


def test_saliency_is_the_largest_gradient_over_channels_of_the_score():
    found = maps.saliency(logits, WEIGHT, IMAGE, 1)
    once = np.abs(WEIGHT).max(axis=-1)
    # The mirror image's gradient, mirrored back: the mean of both.
    np.testing.assert_allclose(found, (once + once[:, ::-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(maps.saliency(logits, WEIGHT, IMAGE / 2, 1), found, atol=1e-6)


def test_hiding_covers_cells_with_grey_and_nothing_else():
    mask = np.array([[True, False], [False, True]])
    found = maps.hidden(IMAGE, mask, 3)
    grey = np.zeros((8, 8), bool)
    grey[:3, :3] = grey[3:6, 3:6] = True
    assert (found[grey] == maps.GREY).all()
    np.testing.assert_array_equal(found[~grey], IMAGE[~grey])
    np.testing.assert_array_equal(
        maps.cells(np.arange(16.0).reshape(4, 4), 2), [[2.5, 4.5], [10.5, 12.5]]
    )


def test_occlusion_falls_where_the_class_is_seen():
    found = maps.occlusion(logits, WEIGHT, IMAGE, 1, side=4, grid=2)
    p = maps.probabilities(logits, WEIGHT, IMAGE[None])[0, 1]
    hidden = maps.hidden(IMAGE, np.array([[True, False], [False, False]]), 4)
    wanted = p - maps.probabilities(logits, WEIGHT, hidden[None])[0, 1]
    assert found[0, 0] == pytest.approx(wanted, abs=1e-5) and found[0, 0] > 0.1
    np.testing.assert_allclose([found[0, 1], found[1, 0], found[1, 1]], 0, atol=1e-6)


def test_batches_change_nothing():
    images = RNG.uniform(0, 255, (5, 8, 8, 3)).astype(np.float32)
    whole = maps.probabilities(logits, WEIGHT, images, batch=8)
    assert whole.shape == (5, 2)
    np.testing.assert_allclose(
        maps.probabilities(logits, WEIGHT, images, batch=2), whole, atol=1e-6
    )


# One smoke run.


def test_the_random_arm_hides_as_many_cells(visualisation_smoke, monkeypatch):
    """Same photographs, same class, as many cells: what differs is which."""
    config, data, _ = visualisation_smoke
    masks = []

    def hidden(image, mask, side):
        masks.append(mask)
        return image

    def probabilities(logits, params, images, batch=16):
        return np.full((len(images), 9), 1 / 9)

    monkeypatch.setattr(maps, "hidden", hidden)
    monkeypatch.setattr(maps, "probabilities", probabilities)
    monkeypatch.setattr(maps, "saliency", lambda *args: args[2].mean(axis=-1))
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    found = sensitivity.saliency(config, keys, data, None, {}).metrics
    assert len(masks) == 3 * len(data.photographs)
    counts = {int(mask.sum()) for mask in masks}
    assert counts == {round(config.share * masks[0].size)}
    assert (masks[0] != masks[1]).any() and (masks[1] != masks[2]).any()
    assert found["saliency_gain"] == [0, 0]  # nothing was hidden


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, visualisation_smoke):
    drawn = figures.FIGURES[name].draw(visualisation_smoke[2])
    assert all(axis.images for axis in drawn.axes)
    plt.close("all")


def test_its_gradient_is_autodiffs(visualisation_smoke):
    assert visualisation_smoke[2].metrics["gradient_differs"][0] < 1e-4


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"share": 1.0}, "--share must be between 0 and 1"),
        ({"widths": (4,)}, "--widths are two numbers"),
        ({"photographs": ("coffee",)}, "--photographs must be different ones, two at least"),
        ({"grid": 1}, "--grid must be at least 2"),
    ],
)
def test_a_config_that_cannot_be(changes, said):
    with pytest.raises(ValueError, match=said):
        Config(**changes)


def test_data_that_there_is_not():
    with pytest.raises(UserError, match="--searched: digits has 360 in test"):
        experiment.load_data(Config(dataset="digits", examples=100), only=())


# `explain`.


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(RNG.integers(0, 256, (40, 60, 3), np.uint8)).save("a.png")
    return commander(capsys, "experiments.visualisation", "explain")


def test_an_explanation(squeezenet, command):
    ended = command("a.png", "b.png", "--grid", "2")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("visualisation: cpu") and len(lines) == 7
    shares = [float(line.split(": ")[1].rstrip("%")) for line in lines[1:6]]
    assert shares == sorted(shares, reverse=True) and all(
        x.startswith("class ") for x in lines[1:6]
    )
    assert lines[6].startswith("b.png: the image, saliency and occlusion for class ")
    pixels = read_picture(Path("b.png")).pixels
    assert pixels.shape == (227, 3 * 340 + 2 * 8, 3)
    saliency = pixels[:, 348:688]
    assert (saliency[..., 0] == saliency[..., 1]).all() and saliency.max() == 255


MISTAKES = {
    "no file": (("gone.png", "b.png"), "gone.png: there is no such file"),
    "ending": (("a.png", "b.gif"), "b.gif: a name must end in .png"),
    "small": (("dot.png", "b.png"), "dot.png: 3 x 3 pixels are too few"),
    "label": (("a.png", "b.png", "--label", "1000"), "--label must be from 0 to 999"),
    "grid": (("a.png", "b.png", "--grid", "1"), "--grid must be at least 2"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, command):
    words, said = MISTAKES[name]
    Image.new("RGB", (3, 3)).save("dot.png")
    ended = command(*words)
    assert ended.code == 2 and files() == ["a.png", "dot.png"]
    assert ended.err.startswith("visualisation: ") and said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_help_answers_without_jax():
    assert "--label CLASS" in help_without_jax("experiments.visualisation", "explain")
