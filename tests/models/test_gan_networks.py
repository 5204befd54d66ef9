import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models.gan import Generator, MaxoutDiscriminator, with_marginal_bias


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def shapes(net, features):
    """Of the parameters of `net` on inputs `[1, features]`, without computing them."""
    return jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, features)))["params"]


def scattered(params, seed=0):
    """Parameters of the same shapes with values large enough to tell networks apart."""
    leaves, tree = jax.tree.flatten(params)
    return jax.tree.unflatten(tree, [normal(seed + i, *p.shape) / 2 for i, p in enumerate(leaves)])


def float64(params):
    return jax.tree.map(lambda p: np.asarray(p, np.float64), params)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    "net, features, count",
    [
        (Generator(), 100, 2_503_984),
        (MaxoutDiscriminator(), 784, 1_231_441),
    ],
)
def test_the_mnist_networks_have_the_released_sizes(net, features, count):
    assert sum(math.prod(p.shape) for p in jax.tree.leaves(shapes(net, features))) == count


@pytest.mark.parametrize(
    "net, features, bound",
    [
        (Generator(6, (8, 7)), 5, 0.05),
        (MaxoutDiscriminator((8, 7), 3), 6, 0.005),
    ],
)
def test_the_weights_fill_their_range_and_the_biases_are_zero(net, features, bound):
    params = jax.jit(net.init)(jax.random.key(0), np.zeros((1, features)))["params"]
    leaves = {jax.tree_util.keystr(k): v for k, v in jax.tree_util.tree_leaves_with_path(params)}
    assert len(leaves) == 6
    for name, leaf in leaves.items():
        largest = np.abs(np.asarray(leaf)).max()
        if "bias" in name:
            assert largest == 0
        elif leaf.size > 20:
            assert 0.8 * bound < largest <= bound
        else:
            assert 0 < largest <= bound


def test_the_generator_is_rectifiers_then_a_sigmoid():
    net = Generator(6, (8, 7))
    params, z = scattered(shapes(net, 5)), normal(9, 4, 5)
    p, h = float64(params), z.astype(np.float64)
    for name in ("Dense_0", "Dense_1"):
        h = np.maximum(h @ p[name]["kernel"] + p[name]["bias"], 0)
    wanted = sigmoid(h @ p["output"]["kernel"] + p["output"]["bias"])
    np.testing.assert_allclose(jax.jit(net.apply)({"params": params}, z), wanted, rtol=1e-4)


def test_the_discriminator_is_maxout_layers_then_a_logit():
    units, pieces = (8, 7), 3
    net = MaxoutDiscriminator(units, pieces)
    params, x = scattered(shapes(net, 6)), normal(9, 4, 6)
    p, h = float64(params), x.astype(np.float64)
    for i, n in enumerate(units):
        dense = p[f"Maxout_{i}"]["Dense_0"]
        h = (h @ dense["kernel"] + dense["bias"]).reshape(4, pieces, n).max(axis=1)
    wanted = (h @ p["output"]["kernel"] + p["output"]["bias"])[:, 0]
    found = jax.jit(net.apply)(
        {"params": params}, x
    )  # no dropout key: without `train` none is needed
    assert found.shape == (4,)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_parameters_and_outputs_stay_float32():
    for net in (
        Generator(6, (8,), dtype=jnp.bfloat16),
        MaxoutDiscriminator((8,), dtype=jnp.bfloat16),
    ):
        made = jax.eval_shape(net.init_with_output, jax.random.key(0), np.zeros((2, 6)))
        assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype("float32")}


def test_a_batch_of_square_images_is_refused():
    with pytest.raises(AssertionError):
        jax.eval_shape(MaxoutDiscriminator().init, jax.random.key(0), np.zeros((2, 28, 28)))


MEANS = np.array([0.0, 1e-3, 0.3, 0.5, 0.9, 1.0], np.float32)


def test_the_marginal_bias_is_the_logit_of_the_clipped_pixel_means():
    before = {"output": {"kernel": np.ones((2, 6)), "bias": np.zeros(6)}, "Dense_0": "untouched"}
    after = with_marginal_bias(before, MEANS)
    clipped = np.clip(MEANS.astype(np.float64), 1e-7, 1 - 1e-7)
    found = sigmoid(np.asarray(after["output"]["bias"], np.float64))
    np.testing.assert_allclose(found, clipped, rtol=1e-6)
    assert np.all(np.isfinite(after["output"]["bias"]))
    assert after["Dense_0"] is before["Dense_0"]
    assert after["output"]["kernel"] is before["output"]["kernel"]
    assert not before["output"]["bias"].any(), "the argument must stay as it was"


def test_an_untrained_generator_with_the_marginal_bias_draws_the_average_image():
    net = Generator(6, (32, 32))
    params = jax.jit(net.init)(jax.random.key(0), np.zeros((1, 10)))["params"]
    z = np.random.default_rng(1).uniform(-(3**0.5), 3**0.5, (200, 10)).astype(np.float32)
    apply = jax.jit(net.apply)
    with_bias, without = (
        np.mean(apply({"params": p}, z), axis=0)
        for p in (with_marginal_bias(params, MEANS), params)
    )
    np.testing.assert_allclose(with_bias, MEANS, atol=0.01)
    assert np.abs(without - MEANS).max() > 0.4


def test_pixel_means_of_another_size_are_refused():
    params = {"output": {"bias": np.zeros(6)}}
    with pytest.raises(AssertionError):
        with_marginal_bias(params, np.full(5, 0.5))


WIDE = MaxoutDiscriminator((300, 300), 2)


def layers(train):
    """Each layer's outputs `[40, units]` on images of ones, by name; the parameters are positive."""
    params = jax.tree.map(lambda p: np.full(p.shape, 1e-3, np.float32), shapes(WIDE, 300))

    @jax.jit
    def run(key):
        _, seen = WIDE.apply(
            {"params": params},
            np.ones((40, 300), np.float32),
            train=train,
            rngs={"dropout": key},
            capture_intermediates=lambda module, _: not isinstance(module, nn.Dense),
        )
        return seen["intermediates"]

    seen = run(jax.random.key(0))
    return {name: np.asarray(seen[name]["__call__"][0]) for name in seen if name != "__call__"}


def test_dropout_keeps_four_fifths_of_the_pixels_and_half_of_the_units_and_rescales_them():
    seen = layers(train=True)
    before = {
        "Dropout_0": np.ones((40, 300)),
        "Dropout_1": seen["Maxout_0"],
        "Dropout_2": seen["Maxout_1"],
    }
    for name, keep in {"Dropout_0": 0.8, "Dropout_1": 0.5, "Dropout_2": 0.5}.items():
        kept = seen[name] != 0
        # 12 000 draws: the fraction's standard deviation is below 0.005.
        assert abs(kept.mean() - keep) < 0.02
        np.testing.assert_allclose(seen[name][kept], (before[name] / keep)[kept], rtol=1e-6)
        # So the expectation is kept.
        np.testing.assert_allclose(seen[name].mean(), before[name].mean(), rtol=0.03)
        assert not np.array_equal(kept[0], kept[1]), "each image should have a mask of its own"
    assert not np.array_equal(seen["Dropout_1"] != 0, seen["Dropout_2"] != 0)


def test_without_train_nothing_is_dropped():
    seen = layers(train=False)
    np.testing.assert_array_equal(seen["Dropout_0"], 1)
    np.testing.assert_array_equal(seen["Dropout_1"], seen["Maxout_0"])
    np.testing.assert_array_equal(seen["Dropout_2"], seen["Maxout_1"])
