"""Taggers: what each direction sees, how many parameters they have, and where a gate begins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models.tagger import Tagger, parameters, widest
from lib.nn.recurrent import Recurrent

WORDS, TAGS, LENGTH = 5, 3, 6


@pytest.mark.parametrize(
    "directions, sees",
    [("forward", {"before"}), ("backward", {"after"}), ("both", {"before", "after"})],
)
def test_a_direction_sees_what_it_reads(directions, sees):
    """Another word at place 3: which places say something else."""
    model = Tagger(WORDS, TAGS, 4, directions=directions)
    words = jnp.array([[0, 1, 2, 3, 4, 0]] * 2).at[1, 3].set(1)

    @jax.jit
    def said(words):
        params = model.init(jax.random.key(0), words)["params"]
        return model.apply({"params": params}, words)

    one, other = np.asarray(said(words))
    differs = np.flatnonzero(~np.isclose(one, other, atol=1e-7).all(axis=1)).tolist()
    wanted = ([0, 1, 2] if "after" in sees else []) + [3] + ([4, 5] if "before" in sees else [])
    assert differs == wanted


def test_what_is_behind_the_words_changes_nothing_in_either_direction():
    model = Tagger(WORDS, TAGS, 4, directions="both")
    words = jnp.array([[1, 2, 3, 0, 0, 0], [1, 2, 3, 4, 4, 4]])
    real = jnp.arange(LENGTH)[None] < jnp.array([[3], [3]])

    @jax.jit
    def said(words, real):
        params = model.init(jax.random.key(0), words)["params"]
        return model.apply({"params": params}, words, real)

    one, other = np.asarray(said(words, real))
    np.testing.assert_array_equal(one[:3], other[:3])


@pytest.mark.parametrize("kind", ["gru", "lstm", "tanh"])
@pytest.mark.parametrize("directions", ["forward", "both"])
def test_parameters_are_counted_and_a_network_is_as_wide_as_they_allow(kind, directions):
    model = widest(Tagger(WORDS, TAGS, 1, kind, directions=directions), 500)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 2), jnp.int32))
    assert parameters(model) == sum(x.size for x in jax.tree.leaves(shapes)) <= 500
    assert parameters(model.clone(units=model.units + 1)) > 500
    with pytest.raises(ValueError, match="too few"):
        widest(model, 3)


@pytest.mark.parametrize("kind, second", [("lstm", 4), ("gru", 3)])
def test_the_gate_that_keeps_begins_where_it_is_told(kind, second):
    def bias(keep):
        layer = Recurrent(2, kind, keep=keep)
        return layer.init(jax.random.key(0), jnp.zeros((1, 1, 1)))["params"]["input"]["bias"]

    wanted = np.zeros((second, 2))
    wanted[1] = 3.0
    np.testing.assert_array_equal(bias(3.0), wanted.ravel())
    assert not np.any(bias(0.0))
    with pytest.raises(ValueError, match="no gate that keeps"):
        Recurrent(2, "tanh", keep=1.0).init(jax.random.key(0), jnp.zeros((1, 1, 1)))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_what_keeps_is_kept(kind):
    """With the gate open for good a GRU's state stays, and an LSTM's cell only adds to what it has."""
    layer, inputs = Recurrent(3, kind, keep=100.0), jnp.ones((1, 4, 2))
    begun = jnp.array([[0.3, -0.2, 5.0]])
    start = (begun,) if kind == "gru" else (begun, jnp.zeros((1, 3)))

    @jax.jit
    def states(start):
        params = layer.init(jax.random.key(0), inputs)["params"]
        return [layer.apply({"params": params}, inputs[:, :t], None, start)[1][0] for t in (1, 4)]

    first, last = states(start)
    if kind == "gru":
        np.testing.assert_array_equal(last, begun)
    else:
        gradient = jax.jit(jax.jacobian(lambda c: states((c, start[1]))[0]))(begun)
        np.testing.assert_allclose(gradient.reshape(3, 3), np.eye(3), atol=1e-6)
