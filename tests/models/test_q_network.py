import functools

import jax
import numpy as np
import pytest

from lib.models.q_network import NETWORKS
from tests.oracles import pytorch

SHAPES = {"2013": (84, 84, 4), "2015": (84, 84, 4), "minatar": (10, 10, 4), "linear": (10, 5, 2)}


@functools.cache
def parameters(name):
    """`(network, parameters)` of four actions."""
    net = NETWORKS[name](4)
    x = np.zeros((1, *SHAPES[name]), np.float32)
    params = jax.jit(net.init)(jax.random.key(0), x)["params"]
    return net, jax.tree.map(np.asarray, params)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("2013", 677_172),
        ("2015", 1_686_180),
        # 3x3x4 to 16 channels on 8x8 positions, then 128 units.
        ("minatar", (3 * 3 * 4 + 1) * 16 + (8 * 8 * 16 + 1) * 128 + (128 + 1) * 4),
        ("linear", (10 * 5 * 2 + 1) * 4),
    ],
)
def test_a_network_has_as_many_parameters_as_the_paper_says(name, wanted):
    net = NETWORKS[name](4)
    shapes = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, *SHAPES[name])))
    assert sum(p.size for p in jax.tree.leaves(shapes)) == wanted


@pytest.mark.parametrize("name", ["2013", "minatar", "linear"])
def test_features_are_what_the_last_layer_sees(name):
    net, params = parameters(name)
    x = np.random.default_rng(0).random((3, *SHAPES[name])).astype(np.float32)

    @jax.jit
    def run(params, x):
        return [net.apply({"params": params}, x, features=f) for f in (False, True)]

    q, features = map(np.asarray, run(params, x))
    assert q.shape == (3, 4)
    assert features.shape == (3, net.hidden[-1] if net.hidden else x[0].size)
    assert features.min() >= 0
    found = features @ params["out"]["kernel"] + params["out"]["bias"][None]
    np.testing.assert_allclose(q, found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["2013", "minatar", "linear"])
def test_weights_and_biases_begin_uniform_within_one_over_the_root_of_the_inputs(name):
    _, params = parameters(name)
    for layer in params.values():
        inputs = np.prod(layer["kernel"].shape[:-1])
        bound = inputs**-0.5
        for p in layer.values():
            assert np.abs(p).max() <= bound
        kernel = np.asarray(layer["kernel"])
        # The deviation of U(-b, b) is b / sqrt(3); its estimate's own is 0.52 / sqrt(size) of it.
        assert abs(kernel.std() * 3**0.5 / bound - 1) < 4 * 0.52 / np.sqrt(kernel.size)
        assert (layer["bias"] != 0).all()


def test_the_2015_network_is_the_one_in_torch():
    rng, net = np.random.default_rng(0), NETWORKS["2015"](4)
    x = rng.random((2, 84, 84, 4)).astype(np.float32)
    shapes = jax.eval_shape(net.init, jax.random.key(0), x)["params"]
    names = ("conv1", "conv2", "conv3", "fc1", "out")
    flat = []
    for name in names:
        kernel, bias = shapes[name]["kernel"].shape, shapes[name]["bias"].shape
        bound = np.prod(kernel[:-1]) ** -0.5
        flat += [np.float32(bound * (2 * rng.random(s) - 1)) for s in (kernel, bias)]

    def answer(torch, x, *flat):
        nn = torch.nn
        theirs = nn.Sequential(
            *(nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU()),
            *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(7 * 7 * 64, 512), nn.ReLU(), nn.Linear(512, 4)),
        )
        layers = [layer for layer in theirs if hasattr(layer, "weight")]
        with torch.no_grad():
            for layer, name, kernel, bias in zip(layers, names, flat[::2], flat[1::2], strict=True):
                if name == "fc1":  # ours flattens rows, columns, channels; torch channels first
                    kernel = kernel.reshape(7, 7, 64, 512).transpose(2, 0, 1, 3).reshape(-1, 512)
                order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
                layer.weight.copy_(torch.tensor(kernel.transpose(order).copy()))
                layer.bias.copy_(torch.tensor(bias))
            return {"q": theirs(torch.tensor(x.transpose(0, 3, 1, 2).copy())).numpy()}

    params = {
        n: {"kernel": k, "bias": b} for n, k, b in zip(names, flat[::2], flat[1::2], strict=True)
    }
    found = jax.jit(lambda x: net.apply({"params": params}, x))(x)
    peer = pytorch("q_network-2015", (x, *flat), answer)
    np.testing.assert_allclose(found, peer["q"], rtol=1e-4, atol=1e-5)
