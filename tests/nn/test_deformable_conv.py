"""The deformable layer: plain at the start, and then it looks where its branch says."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.deformable import DeformableConv

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 7, 6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"dilation": 2, "groups": 2}, {"modulated": True}, {"everywhere": True}],
)
def test_at_the_start_it_is_the_plain_convolution(options):
    layer = DeformableConv(5, (3, 3), **options)
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    plain = nn.Conv(5, (3, 3), stride, padding=[(dilation, dilation)] * 2, kernel_dilation=dilation)

    @jax.jit
    def run(key):
        ours, made = layer.init_with_output(key, X)
        own = {name: made["params"][name] for name in ("kernel", "bias")}
        return made["params"], ours, plain.apply({"params": own}, X)

    params, ours, wanted = run(jax.random.key(0))
    np.testing.assert_allclose(ours, wanted, atol=1e-5)
    assert not any(np.any(x) for x in jax.tree.leaves(params["offset"]))


@pytest.mark.parametrize("everywhere", [False, True])
def test_every_parameter_learns_from_the_first_step_on(everywhere):
    layer = DeformableConv(5, (3, 3), modulated=True, everywhere=everywhere)

    @jax.jit
    def run(key):
        return jax.grad(lambda p: jnp.sin(layer.apply(p, X)).sum())(layer.init(key, X))

    slopes = run(jax.random.key(0))
    assert all(np.any(slope) for slope in jax.tree.leaves(slopes))


def test_its_branch_moves_the_taps():
    """A bias of one pixel down is the image moved one pixel up."""
    layer = DeformableConv(5, (3, 3))

    @jax.jit
    def run(key):
        before, made = layer.init_with_output(key, X)
        params = made["params"]
        moved = params["offset"] | {"bias": jnp.tile(jnp.array([1.0, 0.0]), 9)}
        return before, layer.apply({"params": params | {"offset": moved}}, X)

    before, after = map(np.asarray, run(jax.random.key(0)))
    np.testing.assert_allclose(after[:, :-2], before[:, 1:-1], atol=1e-5)


def test_offsets_everywhere_are_two_numbers_a_tap_whatever_it_sees():
    """Taps two pixels apart, by hand: a dilated convolution, of another input too; strides as well."""
    layer = DeformableConv(5, (3, 3), stride=2, everywhere=True)
    steps = np.array([-1.0, 0.0, 1.0])
    apart = (
        np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1).astype(np.float32)
    )

    @jax.jit
    def run(key, x):
        params = layer.init(key, x)["params"]
        own = {name: params[name] for name in ("kernel", "bias")}
        dilated = nn.Conv(5, (3, 3), padding=[(2, 2)] * 2, kernel_dilation=2)
        wanted = dilated.apply({"params": own}, x)[:, ::2, ::2]
        return params, layer.apply({"params": params | {"offset": apart}}, x), wanted

    for x in (X, X[::-1, ::-1]):
        params, ours, wanted = run(jax.random.key(0), x)
        np.testing.assert_allclose(ours, wanted, atol=1e-5)
    assert params["offset"].shape == (18,)


def test_a_kernel_without_a_middle_is_refused():
    with pytest.raises(ValueError, match="odd, not 2 x 3"):
        DeformableConv(5, (2, 3)).init(jax.random.key(0), X)
