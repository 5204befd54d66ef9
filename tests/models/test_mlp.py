import flax.linen as nn
import jax
import numpy as np
import pytest

from lib.models.mlp import MLP


def weights(net, d, seed=0):
    """Random parameters of `net`, biases included."""
    shapes = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, d)))["params"]
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), shapes)


@pytest.mark.parametrize(
    "activation, numpy",
    [
        (nn.tanh, np.tanh),
        (nn.relu, lambda x: np.maximum(x, 0)),
    ],
)
def test_hidden_layers_have_the_nonlinearity_and_the_output_is_linear(activation, numpy):
    net = MLP(2, (5, 4), activation)
    params, x = weights(net, 3), np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    h = x.astype(np.float64)
    for i in range(3):
        h = h @ params[f"Dense_{i}"]["kernel"] + params[f"Dense_{i}"]["bias"]
        h = numpy(h) if i < 2 else h
    assert np.abs(h).max() > 1, "a tanh at the output should show"
    found = jax.jit(net.apply)({"params": params}, x)
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)


def test_the_kernel_initialiser_is_used_in_every_layer():
    net = MLP(2, (5,), kernel_init=nn.initializers.constant(0.25))
    params = jax.jit(net.init)(jax.random.key(0), np.zeros((1, 3)))["params"]
    assert params["Dense_0"]["kernel"].shape == (3, 5)
    for layer in params.values():
        np.testing.assert_array_equal(layer["kernel"], 0.25)
        np.testing.assert_array_equal(layer["bias"], 0)
