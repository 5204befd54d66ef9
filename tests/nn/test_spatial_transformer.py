"""The neighbours of deformable convolution: one warp of everything, and filters found from the input."""

import jax
import jax.numpy as jnp
import numpy as np

from lib.nn.dynamic_filter import DynamicLocalFilter
from lib.nn.spatial_transformer import SpatialTransformer
from lib.ops.sampling import affine_points

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 9, 7, 3)).astype(np.float32)
POINTS = jax.jit(affine_points, static_argnums=1)


def test_the_identity_looks_at_every_pixel():
    points = POINTS(np.array([[[1.0, 0, 0], [0, 1.0, 0]]]), (9, 7))
    np.testing.assert_allclose(points[0, :, 3, 0], np.arange(9), atol=1e-5)
    np.testing.assert_allclose(points[0, 4, :, 1], np.arange(7), atol=1e-5)


def test_x_is_across_and_a_shift_of_two_is_the_whole_image():
    points = np.asarray(POINTS(np.array([[[0.5, 0, 2.0], [0, 1.0, 0]]]), (9, 7)))
    np.testing.assert_allclose(points[0, 0, [0, -1], 1], 3 + np.array([-1.5, 1.5]) + 6, atol=1e-5)
    np.testing.assert_allclose(points[0, [0, -1], 0, 0], [0, 8], atol=1e-5)


def test_a_transformer_changes_nothing_at_the_start_and_then_what_its_bias_says():
    layer = SpatialTransformer(widths=(2, 2), hidden=4)
    params = jax.jit(layer.init)(jax.random.key(0), X)["params"]
    apply = jax.jit(lambda p: layer.apply({"params": p}, X))
    np.testing.assert_allclose(apply(params), X, atol=1e-5)
    # Mirrored: x of the image is minus x of the result.
    params["Dense_1"]["bias"] = np.array([-2.0, 0, 0, 0, 0, 0], np.float32)
    np.testing.assert_allclose(apply(params), X[:, :, ::-1], atol=1e-5)


def test_a_dynamic_filter_changes_nothing_at_the_start_and_then_weighs_its_neighbours():
    layer = DynamicLocalFilter((3, 3))
    params = jax.jit(layer.init)(jax.random.key(0), X)["params"]
    apply = jax.jit(lambda p: layer.apply({"params": p}, X))
    np.testing.assert_array_equal(apply(params), X)
    # Where the first channel is positive, the pixel above instead; elsewhere as before.
    kernel = np.zeros((3, 3, 3, 9), np.float32)
    params["Conv_0"]["bias"] = np.eye(9, dtype=np.float32)[1] - np.eye(9, dtype=np.float32)[4]
    above = np.pad(X, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]
    np.testing.assert_allclose(apply(params), above, atol=1e-6)
    kernel[1, 1, 0, 4] = 1.0
    params["Conv_0"] = {"kernel": kernel, "bias": np.zeros(9, np.float32)}
    np.testing.assert_allclose(apply(params), X * (1 + X[..., :1]), atol=1e-5)


def test_every_parameter_of_both_learns():
    for layer in (SpatialTransformer(widths=(2, 2), hidden=4), DynamicLocalFilter()):

        @jax.jit
        def slopes(key, layer=layer):
            params = layer.init(key, X)["params"]
            name = "Dense_1" if "Dense_1" in params else "Conv_0"
            params[name]["kernel"] = 0.1 * jnp.ones_like(params[name]["kernel"])
            return jax.grad(lambda p: jnp.sin(layer.apply({"params": p}, X)).sum())(params)

        assert all(np.any(slope) for slope in jax.tree.leaves(slopes(jax.random.key(1))))
