"""Every paper computes as `--precision` says, or refuses it by name."""

import dataclasses
import importlib
from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.models.squeezenet import SqueezeNet
from lib.run.options import parse
from lib.run.paper import all_papers
from lib.run.precision import PRODUCTS

PAPERS = {paper.name: paper for paper in all_papers()}


def config_of(name, precision):
    return dataclasses.replace(PAPERS[name].presets["smoke"], precision=precision)


def has(paper):
    return get_args(get_type_hints(type(paper.presets["smoke"]))["precision"])


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("precision", [*PRODUCTS, "float64"])
def test_a_precision_is_taken_or_refused_by_name(name, precision):
    words = ["smoke", "--precision", precision]
    if precision in has(PAPERS[name]):
        assert parse(PAPERS[name], words)[1].precision == precision
        return
    with pytest.raises(UserError, match="--precision") as refused:
        parse(PAPERS[name], words)
    assert refused.value.code == 2 and precision in str(refused.value)


def gan(precision):
    from experiments.gan.experiment import make_game

    game = make_game(config_of("gan", precision), np.zeros((4, 64), np.uint8))

    state = jax.eval_shape(game.init, jax.random.key(0))

    def computes(state, x, z, key):
        samples = game.players.generate(state.generator, z)
        return samples, game.players.discriminate(state.discriminator, x, key)

    x, z = np.zeros((2, 64), np.float32), np.zeros((2, 16), np.float32)
    return computes, (state, x, z, jax.random.key(0))


def vdsr(precision):
    """The network that a training makes."""
    from experiments.vdsr import training

    made = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("train", "initialise", "make_course", "make_step"):
            patch.setattr(training, name, lambda *args, **named: None)
        patch.setattr(training, "make_init", lambda config, net: made.append(net))
        config = config_of("vdsr", precision)
        training.train_network("x", config, None, None, None, steps=4, depth=3, width=4)
    image = np.zeros((1, 12, 12, 1), np.float32)
    return made[0].apply, (jax.eval_shape(made[0].init, jax.random.key(0), image), image)


def of_squeezenet(paper, *more):
    def of(precision):
        network = importlib.import_module(f"experiments.{paper}.network")
        features = network.make_features("squeezenet1_1", *more, precision)
        image = np.zeros((64, 64, 3), np.float32)
        params = jax.eval_shape(SqueezeNet().init, jax.random.key(0), image[None])["params"]
        return lambda params, image: features(params, image, ("conv1",)), (params, image)

    return of


COMPUTES = {
    "gan": gan,
    "vdsr": vdsr,
    "deepdream": of_squeezenet("deepdream"),
    "neural_style": of_squeezenet("neural_style", "avg"),
}
"""What a paper computes with, and on what; SRCNN's own tests train it."""


def test_those_that_have_bfloat16_are_these():
    assert {n for n, paper in PAPERS.items() if "bfloat16" in has(paper)} == {*COMPUTES, "srcnn"}


@pytest.mark.parametrize("name", COMPUTES)
def test_bfloat16_is_what_is_computed_with(name):
    in_half = {}
    for precision in ("float32", "bfloat16"):
        function, args = COMPUTES[name](precision)
        lines = str(jax.make_jaxpr(function)(*args)).splitlines()
        products = [x for x in lines if "dot_general[" in x or "conv_general_dilated[" in x]
        assert products
        in_half[precision] = any(":bf16[" in line for line in products)
    assert in_half == {"float32": False, "bfloat16": True}


def test_products_rounded_to_tf32_keep_ten_bits_forwards_and_backwards(monkeypatch):
    """As the benchmark does where there is no GPU; what asks for float32 keeps it."""
    from jax.interpreters import mlir

    from tests.benchmarks.rounded import round_products

    rules = mlir._platform_specific_lowerings
    monkeypatch.setitem(rules, "cpu", dict(rules["cpu"]))
    round_products()
    fine = np.full((1, 3, 3, 1), 1 + 2**-12, np.float32)  # a bit that TF32 does not have

    def both(x, kernel):
        square = x[0, :, :, 0]
        exact = jnp.matmul(square, square, precision="highest")
        return square @ square, jax.lax.conv(x, kernel, (1, 1), "VALID"), exact

    def slope(x, kernel):
        return jax.grad(lambda k: jax.lax.conv(x, k, (1, 1), "VALID").sum())(kernel)

    kernel = np.ones((1, 3, 1, 1), np.float32)
    with jax.default_matmul_precision("tensorfloat32"):
        product, convolved, exact = jax.jit(both)(fine, kernel)
        gradient = jax.jit(slope)(fine, kernel)
    assert (product == 3).all() and (convolved == 3).all() and (gradient == 3).all()
    assert (exact > 3).all()
    with jax.default_matmul_precision("float32"):
        assert (jax.jit(slope)(fine, kernel) > 3).all()
