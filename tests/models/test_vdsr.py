"""VDSR: its size, what it sees, and what it is without its last layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models.super_resolution import VDSR


def image(side, seed=0):
    return jax.random.uniform(jax.random.key(seed), (1, side, side, 1))


def small(**about):
    """`(net, params)` of four layers, six filters each."""
    net = VDSR(4, 6, **about)
    return net, net.init(jax.random.key(0), image(8))["params"]


def test_the_papers_network_has_665k_parameters():
    shapes = jax.eval_shape(VDSR().init, jax.random.key(0), image(8))["params"]
    kernels = [shapes[f"conv{i}"]["kernel"].shape for i in range(1, 21)]
    assert kernels == [(3, 3, 1, 64), *[(3, 3, 64, 64)] * 18, (3, 3, 64, 1)]
    assert sum(np.prod(k) for k in kernels) == 664_704
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 665_921


def test_without_its_last_layer_it_returns_the_input_exactly():
    net, params = small()
    params["conv4"] = jax.tree.map(jnp.zeros_like, params["conv4"])
    np.testing.assert_array_equal(net.apply({"params": params}, image(9)), image(9))
    plain, _ = small(residual=False)
    assert not np.any(plain.apply({"params": params}, image(9)))


def test_what_it_adds_is_what_the_plain_network_makes():
    (net, params), x = small(), image(9)
    added = small(residual=False)[0].apply({"params": params}, x)
    np.testing.assert_allclose(net.apply({"params": params}, x), x + added, rtol=1e-6)
    assert np.abs(added).max() > 0.01


@pytest.mark.parametrize("depth", [4, 20])
def test_a_pixel_depends_on_a_window_of_twice_the_depth_and_one(depth):
    """41 x 41 at the paper's depth: the side of its patches."""
    net = VDSR(depth, 2, residual=False, kernel_init=jax.nn.initializers.constant(0.1))
    side, middle = 2 * depth + 7, depth + 3
    params = net.init(jax.random.key(0), image(8))["params"]

    def pixel(x):
        return net.apply({"params": params}, x)[0, middle, middle, 0]

    seen = np.asarray(jax.grad(pixel)(jnp.ones((1, side, side, 1))))[0, :, :, 0] != 0
    rows, columns = np.nonzero(seen)
    assert seen.sum() == (2 * depth + 1) ** 2
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (3, side - 4)


def test_it_is_the_paper_written_out_in_numpy():
    """Zero padding, ReLU after all layers but the last, the input added at the end."""
    net, params = small()
    x = np.asarray(image(7))[0]
    h = x
    for i in range(1, 5):
        kernel, bias = (np.asarray(params[f"conv{i}"][k], np.float64) for k in ("kernel", "bias"))
        padded = np.pad(h, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        h = np.einsum("hwcij,ijcd->hwd", windows, kernel) + bias
        h = np.maximum(h, 0) if i < 4 else h
    found = net.apply({"params": params}, x[None])[0]
    np.testing.assert_allclose(found, x + h, rtol=1e-4, atol=1e-5)


def test_he_initialisation_keeps_the_signal_through_twenty_layers():
    net = VDSR(20, 64, residual=False)
    x = jax.random.normal(jax.random.key(1), (1, 24, 24, 1))
    params = net.init(jax.random.key(0), x)["params"]
    made = net.apply({"params": params}, x)
    assert 0.05 < float(made.std() / x.std()) < 5
