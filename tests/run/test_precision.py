"""`--precision` reaches every product of a part, on the command line and in notebooks alike."""

import jax
import jax.numpy as jnp
import pytest
from jax.lax import Precision
from papers.toy import config as toy_config
from papers.toy import experiment as toy_experiment

from lib.base.errors import UserError
from lib.run import devices
from lib.run.precision import dtype_of, products

A = jnp.ones((2, 2))


@pytest.fixture(autouse=True)
def as_jax_has_it():
    """Whatever a command line in another test has chosen."""
    before = jax.config.jax_default_matmul_precision
    jax.config.update("jax_default_matmul_precision", None)
    yield
    jax.config.update("jax_default_matmul_precision", before)


def asked_for(function, *args):
    """What each product and convolution in `function` asks of the device."""
    equations = jax.make_jaxpr(function)(*args).eqns
    return [e.params["precision"] for e in equations if "precision" in e.params]


def layers(a):
    image = a[None, :, :, None]
    return a @ a, jax.lax.conv(image, image, (1, 1), "SAME")


@pytest.mark.parametrize(
    ("precision", "wanted"),
    [
        ("float32", (Precision.HIGHEST,) * 2),
        ("tf32", (Precision.HIGH,) * 2),
        ("bfloat16", (Precision.HIGHEST,) * 2),
    ],
)
def test_float32_is_float32_and_tf32_is_asked_for(precision, wanted):
    assert asked_for(layers, A) != [wanted, wanted], "or this test shows nothing"
    with products(precision):
        assert asked_for(layers, A) == [wanted, wanted]


def test_only_bfloat16_changes_the_arrays():
    assert [dtype_of(p) for p in ("float32", "tf32", "bfloat16")] == [
        jnp.float32,
        jnp.float32,
        jnp.bfloat16,
    ]


def test_a_part_is_computed_as_its_config_says_though_nobody_chose_a_device(monkeypatch):
    found = []

    def points(config, keys, data, watch, needs):
        found.extend(asked_for(layers, A))
        return toy_experiment.Result({"points_there": 1.0})

    config = toy_config.PRESETS["smoke"]
    monkeypatch.setitem(toy_experiment.PARTS, "points", points)
    data = toy_experiment.load_data(config)
    for precision, wanted in (("float32", Precision.HIGHEST), ("tf32", Precision.HIGH)):
        object.__setattr__(changed := type(config)(), "precision", precision)
        found.clear()
        toy_experiment.run(changed, jax.random.key(0), data, only=["points"])
        assert found == [(wanted, wanted)] * 2


def test_a_command_that_has_no_config_computes_in_float32(capfd):
    devices.choose("cpu")
    assert asked_for(layers, A) == [(Precision.HIGHEST,) * 2] * 2


def test_tf32_is_refused_where_there_is_none():
    with pytest.raises(UserError, match="--precision tf32: only a GPU has it") as refused:
        devices.choose("cpu", "tf32")
    assert refused.value.code == 2
