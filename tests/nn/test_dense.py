"""Affine layers over sentences against Flax's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.nn.dense import Dense, product


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 5), (2, 1, 3, 5)])
def test_parameters_outputs_and_gradients_are_flaxs(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    @jax.jit
    def run(x):
        found = []
        for layer in (Dense, nn.Dense):
            net = layer(6, bias_init=nn.initializers.normal())
            params = net.init(jax.random.key(0), x)

            def total(params, x, net=net):
                return jnp.sin(net.apply(params, x)).sum()

            found.append((params, net.apply(params, x), jax.grad(total, (0, 1))(params, x)))
        return found

    found, wanted = run(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, wanted)


def test_gradients_are_products_of_matrices_and_nothing_is_transposed_for_them():
    def total(x, kernel):
        return jnp.sin(Dense(6, use_bias=False).apply({"params": {"kernel": kernel}}, x)).sum()

    program = str(jax.make_jaxpr(jax.grad(total, (0, 1)))(jnp.ones((2, 3, 5)), jnp.ones((5, 6))))
    products = [line for line in program.splitlines() if "dot_general[" in line]
    assert len(products) == 3 and not any("f32[2,3" in line for line in products)


def test_another_product_is_refused():
    with pytest.raises(ValueError, match="last axis"):
        product(jnp.ones((2, 3)), jnp.ones((2, 3)), (((0,), (0,)), ((), ())))
