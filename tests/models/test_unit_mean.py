"""Gatys's normalisation: mean activations of one, the same output."""

import functools

import jax
import numpy as np
import pytest

from lib.models import squeezenet, vgg
from lib.models.unit_mean import FLOOR, mean_activations, unit_mean

NETWORKS = {
    "vgg": (vgg.VGG(16, "avg"), vgg.inputs_of(16), ("conv1_1", "conv1_2", "conv2_1"), "conv2_2"),
    "squeezenet": (
        squeezenet.SqueezeNet("avg"),
        squeezenet.inputs_of(),
        ("conv1", "fire2/squeeze", "fire2/expand1x1", "fire2/expand3x3", "fire3/squeeze"),
        "fire3",
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    net, inputs, layers, last = NETWORKS[request.param]
    images = np.random.default_rng(0).normal(0, 50, (3, 35, 39, 3)).astype(np.float32)
    shapes = jax.eval_shape(lambda key: net.init(key, images, (last,)), jax.random.key(1))["params"]
    rng = np.random.default_rng(1)

    def draw(shape):
        fan_in = np.prod(shape.shape[:-1])
        size = 3 if len(shape.shape) == 1 else np.sqrt(2 / fan_in)
        return rng.normal(0, size, shape.shape).astype(np.float32)

    params = jax.tree.map(draw, shapes)

    @functools.partial(jax.jit, static_argnums=2)
    def apply(params, image, taps):
        return {k: v[0] for k, v in net.apply({"params": params}, image[None], taps).items()}

    means = mean_activations(lambda image: apply(params, image, layers), images)
    return apply, params, images, means, inputs, last


def test_every_channel_that_fires_has_a_mean_activation_of_one(case):
    apply, params, images, means, inputs, _ = case
    scaled = unit_mean(params, means, inputs)
    after = mean_activations(lambda image: apply(scaled, image, tuple(means)), images)
    for layer, mean in means.items():
        fires = mean >= FLOOR * mean.mean()
        assert fires.mean() > 0.5
        np.testing.assert_allclose(after[layer][fires], 1, rtol=1e-4)
        assert np.all(after[layer][~fires] < 1)


def test_what_comes_out_is_the_same(case):
    apply, params, images, means, inputs, last = case
    scaled = unit_mean(params, means, inputs)
    before, after = (np.asarray(apply(p, images[0], (last,))[last]) for p in (params, scaled))
    assert np.abs(after - before).max() <= 1e-4 * np.abs(before).max()


def test_a_layer_that_nothing_reads_must_stay(case):
    _, params, _, means, inputs, _ = case
    with pytest.raises(ValueError, match="nothing reads conv9_9"):
        unit_mean(params, {**means, "conv9_9": np.ones(3)}, inputs)


def test_means_by_hand():
    images = [np.full((2, 2, 1), 1.0, np.float32), np.full((2, 2, 1), 3.0, np.float32)]
    found = mean_activations(lambda image: {"a": image, "b": 2 * image}, images)
    np.testing.assert_allclose([found["a"][0], found["b"][0]], [2, 4])


def test_channels_that_hardly_fire_are_divided_by_the_floor_and_silent_ones_by_one():
    params = {
        "a": {"kernel": np.ones((1, 1, 1, 3)), "bias": np.ones(3)},
        "b": {"kernel": np.ones((1, 1, 3, 1)), "bias": np.ones(1)},
    }
    means = {"a": np.array([0.0, 0.001, 5.999])}
    scaled = unit_mean(params, means, {"b": ("a",)})
    divisors = np.array([1, FLOOR * 2, 5.999])
    np.testing.assert_allclose(scaled["a"]["bias"], 1 / divisors, rtol=1e-5)
    np.testing.assert_allclose(scaled["b"]["kernel"].ravel(), divisors, rtol=1e-5)
    assert scaled["b"]["bias"] == 1
