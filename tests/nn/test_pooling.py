"""Pooling against plain loops, against Flax, and by Caffe's rule."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.pooling import avg_pool, max_pool

X = np.random.default_rng(0).normal(size=(2, 9, 12, 3)).astype(np.float32)


def by_loops(x, window, stride, pad, ceil, reduce):
    """Caffe's pooling: windows start in the image or its padding; what sticks out is cut."""
    sizes = []
    for length in x.shape[1:3]:
        count = (length + 2 * pad - window) / stride
        count = int(np.ceil(count) if ceil else np.floor(count)) + 1
        if (count - 1) * stride >= length + pad:
            count -= 1
        sizes.append(count)
    out = np.zeros((x.shape[0], *sizes, x.shape[3]))
    for i in range(sizes[0]):
        for j in range(sizes[1]):
            top, left = i * stride - pad, j * stride - pad
            part = x[:, max(top, 0) : top + window, max(left, 0) : left + window]
            out[:, i, j] = reduce(part, axis=(1, 2))
    return out


CASES = [
    (2, 2, {}),
    (3, 2, {}),
    (3, 2, {"ceil": True}),
    (3, 1, {"pad": 1}),
    (2, 2, {"ceil": True, "pad": 1}),
]


@pytest.mark.parametrize("window, stride, options", CASES)
@pytest.mark.parametrize("pool, reduce", [(max_pool, np.max), (avg_pool, np.mean)])
def test_pooling_is_the_windows_largest_or_mean(pool, reduce, window, stride, options):
    expected = by_loops(
        X, window, stride, options.get("pad", 0), options.get("ceil", False), reduce
    )
    found = jax.jit(lambda x: pool(x, window, stride, **options))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window, stride", [(2, 2), (3, 2)])
@pytest.mark.parametrize("ours, theirs", [(max_pool, nn.max_pool), (avg_pool, nn.avg_pool)])
def test_outputs_and_gradients_are_flaxs(ours, theirs, window, stride):
    def of_flax(x):
        return theirs(x, (window, window), (stride, stride))

    @jax.jit
    def run(x):
        both = []
        for pool in (lambda x: ours(x, window, stride), of_flax):
            y, backward = jax.vjp(pool, x)
            g = np.random.default_rng(0).normal(size=y.shape).astype(np.float32)
            both.append((y, *backward(jnp.asarray(g))))
        return both

    for found, expected in zip(*run(X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_pixels_that_are_equally_large_share_the_gradient():
    found = jax.jit(jax.grad(lambda x: max_pool(x, 2, 2).sum()))(np.ones((1, 2, 2, 1)))
    found = np.asarray(found)
    assert found.sum() == 1 and found.min() > 0


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="window of 13"):
        max_pool(X, 13, 1)
