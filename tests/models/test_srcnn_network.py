from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models.super_resolution import SRCNN, margin

RNG = np.random.default_rng(0)
SMALL = {"sizes": (5, 1, 3), "widths": (6, 4)}


def shapes(net, side=33):
    x = np.zeros((1, side, side, net.channels), np.float32)
    return jax.eval_shape(net.init, jax.random.key(0), x)["params"]


def filters(net, seed=0):
    """Positive parameters: no rectifier closes, nothing cancels."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: rng.random(p.shape, np.float32) / 9, shapes(net))


@partial(jax.jit, static_argnums=0)
def apply(net, params, x):
    return net.apply({"params": params}, x)


@pytest.mark.parametrize(
    "sizes, widths, weights, biases",
    [
        ((9, 1, 5), (64, 32), 8_032, 97),
        ((9, 3, 5), (64, 32), 24_416, 97),
        ((9, 5, 5), (64, 32), 57_184, 97),
        ((11, 1, 7), (64, 32), 121 * 64 + 64 * 32 + 49 * 32, 97),
        ((9, 1, 5), (128, 64), 81 * 128 + 128 * 64 + 25 * 64, 193),
    ],
)
def test_the_papers_networks_have_as_many_parameters(sizes, widths, weights, biases):
    found = shapes(SRCNN(sizes, widths))
    assert sum(layer["kernel"].size for layer in found.values()) == weights
    assert sum(layer["bias"].size for layer in found.values()) == biases


def test_the_base_network_is_9_1_5():
    assert sum(x.size for x in jax.tree.leaves(shapes(SRCNN()))) == 8_129


@pytest.mark.parametrize("sizes, side", [((9, 1, 5), 21), ((9, 3, 5), 19), ((9, 5, 5), 17)])
def test_without_padding_a_sub_image_of_33_gives_the_papers_sides(sizes, side):
    net = SRCNN(sizes)
    x = jax.ShapeDtypeStruct((2, 33, 33, 1), jnp.float32)
    assert jax.eval_shape(net.apply, {"params": shapes(net)}, x).shape == (2, side, side, 1)
    assert 33 - 2 * margin(sizes) == side
    for padding in ("EDGE", "SAME"):
        padded = SRCNN(sizes, padding=padding)
        assert jax.eval_shape(padded.apply, {"params": shapes(net)}, x).shape == (2, 33, 33, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_three_convolutions_two_of_them_rectified(channels):
    net = SRCNN(**SMALL, channels=channels)
    params = jax.tree.map(lambda p: RNG.normal(size=p.shape).astype(np.float32), shapes(net))
    x = RNG.normal(size=(2, 9, 8, channels)).astype(np.float32)
    y = x.astype(np.float64)
    for i, layer in enumerate(params.values(), start=1):
        size = layer["kernel"].shape[0]
        windows = np.lib.stride_tricks.sliding_window_view(y, (size, size), axis=(1, 2))
        y = np.einsum("nyxcij,ijcd->nyxd", windows, layer["kernel"]) + layer["bias"]
        y = np.maximum(y, 0) if i < 3 else y
    assert y.min() < 0, "a rectifier at the output should show"
    np.testing.assert_allclose(apply(net, params, x), y, atol=1e-4 * np.abs(y).max())


def test_repeated_borders_keep_the_size_and_change_nothing_inside():
    net, edge = SRCNN(**SMALL), SRCNN(**SMALL, padding="EDGE")
    params, x = filters(net), RNG.random((2, 14, 12, 1), np.float32)
    inside, whole = (np.asarray(apply(n, params, x)) for n in (net, edge))
    m = margin(net.sizes)
    assert m == 3 and whole.shape == x.shape
    np.testing.assert_allclose(whole[:, m:-m, m:-m], inside, rtol=1e-5)
    # A constant image has no border that shows.
    flat = np.asarray(apply(edge, params, np.full((1, 8, 8, 1), 0.5, np.float32)))
    np.testing.assert_allclose(flat, flat[0, 0, 0, 0], rtol=1e-5)


@pytest.mark.parametrize("sizes, side", [((9, 1, 5), 13), ((9, 5, 5), 17)])
def test_an_output_pixel_sees_as_far_as_the_paper_says(sizes, side):
    net = SRCNN(sizes, (2, 2), padding="SAME")
    middle = jax.grad(lambda x: net.apply({"params": filters(net)}, x)[0, 14, 14, 0])
    seen = np.asarray(jax.jit(middle)(np.ones((1, 29, 29, 1), np.float32)))[0, :, :, 0] != 0
    wanted = np.zeros((29, 29), bool)
    reach = side // 2
    wanted[14 - reach : 15 + reach, 14 - reach : 15 + reach] = True
    np.testing.assert_array_equal(seen, wanted)


@pytest.mark.parametrize("padding", ["VALID", "EDGE"])
def test_every_parameter_gets_a_gradient(padding):
    net = SRCNN(**SMALL, padding=padding)
    x = RNG.random((2, 9, 9, 1), np.float32)

    def loss(params):
        return jnp.square(net.apply({"params": params}, x)).sum()

    for gradient in jax.tree.leaves(jax.jit(jax.grad(loss))(filters(net))):
        assert np.all(np.asarray(gradient) != 0)


def test_weights_start_with_the_papers_deviation_and_biases_at_zero():
    init = jax.jit(SRCNN((9, 5, 5)).init)
    params = init(jax.random.key(0), np.zeros((1, 33, 33, 1), np.float32))["params"]
    for layer in params.values():
        kernel = np.asarray(layer["kernel"])
        assert kernel.std() == pytest.approx(0.001, rel=0.1) and abs(kernel.mean()) < 2e-4
        np.testing.assert_array_equal(layer["bias"], 0)


def test_bfloat16_computes_in_bfloat16_and_answers_in_float32():
    net, fine = SRCNN(**SMALL, dtype=jnp.bfloat16), SRCNN(**SMALL)
    params, x = filters(net), RNG.random((1, 9, 9, 1), np.float32)
    assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(shapes(net)))
    coarse, exact = apply(net, params, x), apply(fine, params, x)
    assert coarse.dtype == exact.dtype == jnp.float32
    np.testing.assert_allclose(coarse, exact, rtol=0.05)
    assert not np.array_equal(coarse, exact)


@pytest.mark.parametrize("shape", [(1, 9, 9, 3), (9, 9, 1)])
def test_another_number_of_channels_or_axes_is_refused(shape):
    with pytest.raises(AssertionError):
        jax.eval_shape(SRCNN().init, jax.random.key(0), np.zeros(shape, np.float32))


def test_each_size_needs_its_width():
    with pytest.raises(ValueError):
        shapes(SRCNN((9, 1, 1, 5)))
