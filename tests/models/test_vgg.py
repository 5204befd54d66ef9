"""VGG: its size, against PyTorch, taps, pooling and the normalisation."""

from functools import partial

import jax
import numpy as np
import pytest

from lib.models.vgg import DEPTHS, VGG, WIDTHS, inputs_of
from tests.oracles import pytorch

DEEPEST = {16: "conv5_3", 19: "conv5_4"}


def shapes(depth, taps=("logits",), side=224):
    image = np.zeros((1, side, side, 3), np.float32)
    return jax.eval_shape(lambda key: VGG(depth).init(key, image, taps), jax.random.key(0))[
        "params"
    ]


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_the_networks_have_the_published_numbers_of_parameters():
    assert count(shapes(19, ("conv5_4",), 32)) == 20_024_384
    assert count(shapes(16, ("conv5_3",), 32)) == 14_714_688
    assert count(shapes(19)) == 143_667_240
    assert count(shapes(16)) == 138_357_544


@pytest.fixture(scope="module")
def small():
    """Random parameters up to conv3_1, and a batch of two images."""
    x = np.random.default_rng(0).normal(size=(2, 20, 23, 3)).astype(np.float32)
    rng = np.random.default_rng(1)

    def draw(leaf):
        scale = np.sqrt(2 / np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.1
        return rng.normal(0, scale, leaf.shape).astype(np.float32)

    return jax.tree.map(draw, shapes(19, ("conv3_1",), 32)), x


@partial(jax.jit, static_argnums=(0, 3))
def apply(net, params, x, taps):
    return net.apply({"params": params}, x, taps)


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_activations_are_pytorchs(pooling):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, 8, 9, 3)).astype(np.float32)
    layers = ("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2", "conv3_1")
    taps = ("conv1_2", "pool1", "conv2_2", "conv3_1")
    net = VGG(pooling=pooling)
    shapes = jax.eval_shape(lambda key: net.init(key, images, taps), jax.random.key(0))["params"]
    params = {
        name: {
            "kernel": (rng.random(of["kernel"].shape) - 0.5) / of["kernel"].shape[2] ** 0.5,
            "bias": rng.random(of["bias"].shape) - 0.5,
        }
        for name, of in sorted(shapes.items())
    }
    params = jax.tree.map(np.float32, params)

    def answer(torch, images, *flat):
        functional = torch.nn.functional
        pool = {"max": functional.max_pool2d, "avg": functional.avg_pool2d}[pooling]
        left = dict(zip(params, zip(flat[::2], flat[1::2], strict=True), strict=True))
        x, answers = torch.tensor(images.transpose(0, 3, 1, 2).copy()), {}
        for name in layers:
            if name.startswith("pool"):
                x = pool(x, 2)
            else:
                bias, kernel = map(torch.tensor, left[name])
                x = torch.relu(functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1))
            if name in taps:
                answers[name] = x.numpy().transpose(0, 2, 3, 1)
        return answers

    peer = pytorch(f"vgg-{pooling}", (images, *jax.tree.leaves(params)), answer)
    found = jax.jit(lambda x: net.apply({"params": params}, x, taps))(images)
    assert found.keys() == peer.keys()
    for name in taps:
        np.testing.assert_allclose(found[name], peer[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_taps_are_what_was_asked_for_and_nothing_deeper_is_computed(small):
    params, x = small
    found = apply(VGG(), params, x, ("pool1", "conv2_1"))
    assert set(found) == {"pool1", "conv2_1"}
    assert found["pool1"].shape == (2, 10, 11, 64)
    assert VGG().apply({"params": params}, x, ()) == {}
    assert np.min(found["conv2_1"]) == 0


def test_an_unknown_tap_is_named_with_the_taps_there_are():
    with pytest.raises(ValueError, match=r"no layer conv9_1; there are conv1_1, .*fc7, logits"):
        shapes(19, ("conv1_1", "conv9_1"))


@pytest.mark.parametrize("depth", [16, 19])
def test_each_convolution_reads_the_one_before(depth):
    inputs = inputs_of(depth)
    assert inputs["conv1_2"] == ("conv1_1",)
    assert inputs["conv2_1"] == ("conv1_2",)
    assert inputs["fc6"] == (DEEPEST[depth],)
    assert len(inputs) == sum(DEPTHS[depth]) + 3 - 1 and len(WIDTHS) == 5
