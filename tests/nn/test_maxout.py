import jax
import jax.numpy as jnp
import numpy as np

from lib.nn.maxout import Maxout

UNITS, PIECES = 3, 4
LAYER = Maxout(UNITS, PIECES)


def inputs(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def initial(d):
    """Parameters with biases that matter."""
    params = jax.jit(LAYER.init)(jax.random.key(0), np.zeros((1, d)))["params"]["Dense_0"]
    kernel = np.asarray(params["kernel"])
    return {"Dense_0": {**params, "kernel": kernel, "bias": inputs(UNITS * PIECES)}}


def by_loops(params, x):
    """`h_i(x) = max_j (x W_ij + b_ij)` in float64; W_ij is column `j * units + i` of the kernel."""
    kernel, bias = (np.asarray(params["Dense_0"][n], np.float64) for n in ("kernel", "bias"))
    found = np.empty((*x.shape[:-1], UNITS))
    for where in np.ndindex(*x.shape[:-1]):
        for i in range(UNITS):
            columns = [j * UNITS + i for j in range(PIECES)]
            found[(*where, i)] = max(x[where] @ kernel[:, c] + bias[c] for c in columns)
    return found


def test_each_unit_is_the_largest_of_its_pieces():
    params, x = initial(5), inputs(2, 3, 5)
    found = jax.jit(LAYER.apply)({"params": params}, x)
    assert found.shape == (2, 3, UNITS)
    np.testing.assert_allclose(found, by_loops(params, x), rtol=1e-5, atol=1e-6)


def test_the_parameters_are_those_of_one_dense_layer():
    shapes = jax.tree.map(lambda p: p.shape, initial(5))
    assert shapes == {"Dense_0": {"kernel": (5, UNITS * PIECES), "bias": (UNITS * PIECES,)}}


def test_only_the_winning_piece_gets_a_gradient():
    params, x = initial(5), inputs(1, 5)
    slopes = jax.jit(jax.grad(lambda p: LAYER.apply({"params": p}, x).sum()))(params)
    gradient = slopes["Dense_0"]["bias"]
    affine = x[0] @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    winners = affine.reshape(PIECES, UNITS).argmax(axis=0)
    wanted = (np.arange(PIECES)[:, None] == winners[None]).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(gradient).reshape(PIECES, UNITS), wanted)


def test_in_bfloat16_the_parameters_stay_float32():
    layer = Maxout(UNITS, PIECES, dtype=jnp.bfloat16)
    out, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.zeros((2, 5)))
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
