"""GoogLeNet: its size, Caffe's rules of pooling and normalising, its taps; real weights, if they are here."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models.googlenet import LEAST_SIDE, OUTPUTS, WIDTHS, GoogLeNet, local_response_norm
from lib.pretrained import recognition
from lib.pretrained.networks import GOOGLENET

PARTS = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")


@functools.cache
def shapes():
    x = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    return jax.eval_shape(GoogLeNet().init, jax.random.key(0), x)["params"]


@functools.cache
def params():
    rng = np.random.default_rng(0)

    def values(leaf):
        scale = np.sqrt(2 / np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.1
        return (scale * rng.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree.map(values, shapes())


def tap_shapes(taps, side):
    x = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    apply = functools.partial(GoogLeNet().apply, taps=taps)
    found = jax.eval_shape(apply, {"params": shapes()}, x)
    return {tap: value.shape for tap, value in found.items()}


def test_its_parameters_are_the_papers():
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes())) == 6_998_552
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes()["inception_3a"])) == 163_696


def test_the_manifest_has_the_same_layers():
    for layer, shape in GOOGLENET.layers.items():
        found = shapes()
        for part in layer.split("/"):
            found = found[part]
        assert found["kernel"].shape == shape and found["bias"].shape == shape[3:]
    assert len(jax.tree.leaves(shapes())) == 2 * len(GOOGLENET.layers)


def test_its_sizes_at_224_are_those_of_table_1():
    taps = ("conv1", "pool1", "conv2", "pool2", "inception_3a", "inception_3b", "pool3")
    taps += ("inception_4a", "inception_4e", "pool4", "inception_5b", "pool5", "logits")
    assert tap_shapes(taps, 224) == {
        "conv1": (2, 112, 112, 64),
        "pool1": (2, 56, 56, 64),
        "conv2": (2, 56, 56, 192),
        "pool2": (2, 28, 28, 192),
        "inception_3a": (2, 28, 28, 256),
        "inception_3b": (2, 28, 28, 480),
        "pool3": (2, 14, 14, 480),
        "inception_4a": (2, 14, 14, 512),
        "inception_4e": (2, 14, 14, 832),
        "pool4": (2, 7, 7, 832),
        "inception_5b": (2, 7, 7, 1024),
        "pool5": (2, 1, 1, 1024),
        "logits": (2, 1000),
    }


def test_the_least_side_is_the_least():
    assert tap_shapes(("inception_5b", "logits"), LEAST_SIDE)["inception_5b"] == (2, 1, 1, 1024)
    with pytest.raises(ValueError, match="window of 3"):
        tap_shapes(("logits",), LEAST_SIDE - 1)


def test_an_inception_is_its_outputs_side_by_side():
    x = 60 * np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype(np.float32)
    taps = tuple(f"inception_3a/{part}" for part in PARTS) + ("inception_3a",)
    found = jax.jit(functools.partial(GoogLeNet().apply, taps=taps))({"params": params()}, x)
    found = jax.tree.map(np.asarray, found)
    widths = [found[f"inception_3a/{part}"].shape[-1] for part in PARTS]
    assert tuple(widths) == WIDTHS["3a"]
    side_by_side = [found[f"inception_3a/{part}"] for part in OUTPUTS]
    np.testing.assert_array_equal(found["inception_3a"], np.concatenate(side_by_side, -1))
    assert all(np.min(activations) == 0 for activations in found.values()), "rectified"
    assert all(np.max(activations) > 0 for activations in found.values())


@pytest.mark.parametrize("channels", [1, 3, 5, 64])
def test_normalisation_is_the_formula(channels):
    x = np.random.default_rng(0).normal(scale=200, size=(2, 3, channels))
    wanted = np.empty_like(x)
    for c in range(channels):
        around = x[..., max(c - 2, 0) : c + 3]
        wanted[..., c] = x[..., c] / (1 + 1e-4 / 5 * np.sum(around**2, -1)) ** 0.75
    np.testing.assert_allclose(jax.jit(local_response_norm)(np.float32(x)), wanted, rtol=1e-5)


def test_it_stops_at_the_deepest_tap():
    assert jax.tree.leaves(tap_shapes((), 224)) == []
    only = {"conv1": params()["conv1"]}
    x = np.ones((1, 48, 48, 3), np.float32)
    apply = jax.jit(GoogLeNet().apply, static_argnums=2)
    assert apply({"params": only}, x, ("conv1",))["conv1"].shape == (1, 24, 24, 64)


def test_an_unknown_tap_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="no layer inception_6a; there are conv1, .*logits"):
        tap_shapes(("conv1", "inception_6a"), 64)


def test_the_released_weights_recognise_photographs(given_weights):
    pretrained = given_weights("googlenet")
    rows = {row.photograph: row for row in recognition.check(pretrained)}
    assert all(row.holds for row in rows.values()), rows
    assert rows["coffee"].guesses[0][0] == 967 and rows["coffee"].guesses[0][1] > 0.85
