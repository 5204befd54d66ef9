"""VDSR: its size, what it sees, and what it is without its last layer."""

import functools

import jax
import numpy as np
import pytest

from lib.models.super_resolution import VDSR


def image(side):
    return np.random.default_rng(0).random((1, side, side, 1), np.float32)


@functools.cache
def small():
    """Parameters of four layers, six filters each."""
    return jax.jit(VDSR(4, 6).init)(jax.random.key(0), image(8))["params"]


@functools.partial(jax.jit, static_argnums=0)
def apply(net, params, x):
    return net.apply({"params": params}, x)


def test_the_papers_network_has_665k_parameters():
    shapes = jax.eval_shape(VDSR().init, jax.random.key(0), image(8))["params"]
    kernels = [shapes[f"conv{i}"]["kernel"].shape for i in range(1, 21)]
    assert kernels == [(3, 3, 1, 64), *[(3, 3, 64, 64)] * 18, (3, 3, 64, 1)]
    assert sum(np.prod(k) for k in kernels) == 664_704
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 665_921


def test_without_its_last_layer_it_returns_the_input_exactly():
    params = {**small(), "conv4": jax.tree.map(np.zeros_like, small()["conv4"])}
    np.testing.assert_array_equal(apply(VDSR(4, 6), params, image(9)), image(9))
    assert not np.any(apply(VDSR(4, 6, residual=False), params, image(9)))


def test_what_it_adds_is_what_the_plain_network_makes():
    x = image(9)
    added = np.asarray(apply(VDSR(4, 6, residual=False), small(), x))
    np.testing.assert_allclose(apply(VDSR(4, 6), small(), x), x + added, rtol=1e-6)
    assert np.abs(added).max() > 0.01


@pytest.mark.parametrize("depth", [4, 20])
def test_a_pixel_depends_on_a_window_of_twice_the_depth_and_one(depth):
    """41 x 41 at the paper's depth: the side of its patches."""
    net = VDSR(depth, 2, residual=False, kernel_init=jax.nn.initializers.constant(0.1))
    side, middle = 2 * depth + 7, depth + 3

    @jax.jit
    def slopes(x):
        params = net.init(jax.random.key(0), x)
        return jax.grad(lambda x: net.apply(params, x)[0, middle, middle, 0])(x)

    seen = np.asarray(slopes(np.ones((1, side, side, 1), np.float32)))[0, :, :, 0] != 0
    rows, columns = np.nonzero(seen)
    assert seen.sum() == (2 * depth + 1) ** 2
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (3, side - 4)


def test_it_is_the_paper_written_out_in_numpy():
    """Zero padding, ReLU after all layers but the last, the input added at the end."""
    params, x = small(), image(7)[0]
    h = x
    for i in range(1, 5):
        kernel, bias = (np.asarray(params[f"conv{i}"][k], np.float64) for k in ("kernel", "bias"))
        padded = np.pad(h, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        h = np.einsum("hwcij,ijcd->hwd", windows, kernel) + bias
        h = np.maximum(h, 0) if i < 4 else h
    found = apply(VDSR(4, 6), params, x[None])[0]
    np.testing.assert_allclose(found, x + h, rtol=1e-4, atol=1e-5)


def test_he_initialisation_keeps_the_signal_through_twenty_layers():
    net = VDSR(20, 64, residual=False)
    x = np.random.default_rng(1).normal(size=(1, 24, 24, 1)).astype(np.float32)
    params = net.init(jax.random.key(0), x[:, :3, :3])["params"]  # 20 layers compile once, eagerly
    assert 0.05 < np.std(apply(net, params, x)) / np.std(x) < 5
