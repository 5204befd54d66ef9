"""SqueezeNet 1.1: its size, its shapes, and its modules against a direct computation."""

import jax
import numpy as np
import pytest

from lib.models.squeezenet import LEAST_SIDE, SqueezeNet, inputs_of


@pytest.fixture(scope="module")
def network():
    x = np.random.default_rng(0).normal(size=(1, 67, 67, 3)).astype(np.float32)
    shapes = jax.eval_shape(SqueezeNet().init, jax.random.key(0), x)["params"]
    rng = np.random.default_rng(1)  # compiling the initialiser would take longer than all the tests
    return jax.tree.map(lambda s: rng.normal(0, 0.1, s.shape).astype(np.float32), shapes), x


def test_the_network_has_the_published_number_of_parameters(network):
    assert sum(leaf.size for leaf in jax.tree.leaves(network[0])) == 1_235_496


def test_caffes_sizes(network):
    taps = ("conv1", "pool1", "fire3", "pool3", "pool5", "fire9", "conv10", "logits")
    image = np.zeros((1, 227, 227, 3), np.float32)
    apply = SqueezeNet().apply
    found = jax.eval_shape(lambda p: apply({"params": p}, image, taps), network[0])
    shapes = {name: tap.shape[1:] for name, tap in found.items()}
    assert shapes == {
        "conv1": (113, 113, 64),
        "pool1": (56, 56, 64),
        "fire3": (56, 56, 128),
        "pool3": (28, 28, 128),
        "pool5": (14, 14, 256),
        "fire9": (14, 14, 512),
        "conv10": (14, 14, 1000),
        "logits": (1000,),
    }


def test_the_least_side_is_the_least_for_every_layer(network):
    def at(side, tap):
        image, apply = np.zeros((1, side, side, 3), np.float32), SqueezeNet().apply
        return jax.eval_shape(lambda p: apply({"params": p}, image, (tap,)), network[0])[tap].shape

    assert at(LEAST_SIDE, "pool5") == (1, 1, 1, 256) and at(LEAST_SIDE, "logits") == (1, 1000)
    with pytest.raises(ValueError, match="window of 3"):
        at(LEAST_SIDE - 1, "pool5")


def test_a_fire_module_squeezes_and_expands(network):
    params, x = network
    taps = ("pool1", "fire2/squeeze", "fire2/expand1x1", "fire2/expand3x3", "fire2")
    found = jax.jit(SqueezeNet().apply, static_argnums=2)({"params": params}, x, taps)
    fire = params["fire2"]

    def by_hand(name, x, side):
        kernel, bias = (np.asarray(fire[name][part]) for part in ("kernel", "bias"))
        x = np.pad(x, ((0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)))
        h, w = x.shape[1] - side + 1, x.shape[2] - side + 1
        out = sum(
            x[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(side) for j in range(side)
        )
        return np.maximum(out + bias, 0)

    squeezed = by_hand("squeeze", np.asarray(found["pool1"]), 1)
    np.testing.assert_allclose(found["fire2/squeeze"], squeezed, rtol=1e-4, atol=1e-5)
    parts = [by_hand(name, squeezed, side) for name, side in (("expand1x1", 1), ("expand3x3", 3))]
    np.testing.assert_allclose(found["fire2"], np.concatenate(parts, -1), rtol=1e-4, atol=1e-5)


def test_every_convolution_but_the_first_reads_others():
    inputs = inputs_of()
    assert inputs["fire2/squeeze"] == ("conv1",)
    assert inputs["fire3/squeeze"] == ("fire2/expand1x1", "fire2/expand3x3")
    assert inputs["fire3/expand3x3"] == ("fire3/squeeze",)
    assert inputs["conv10"] == ("fire9/expand1x1", "fire9/expand3x3")
    assert len(inputs) == 25
