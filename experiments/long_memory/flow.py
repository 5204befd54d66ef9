"""How much of an error reaches the steps before: the norms of its gradient by the state of each."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from experiments.long_memory.tasks import Batch
from lib.models.tagger import Tagger
from lib.nn.recurrent import cell_step, of_gates, zero_state

Params = Any


@functools.partial(jax.jit, static_argnums=(0, 3))
def reaching(model: Tagger, params: Params, batch: Batch, cut: bool = False) -> jax.Array:
    """`|dL / d state_{t-1}|` at each step t, `[T]`: the mean over sequences of its Euclidean norm.

    L is the nats of the answer after the last step; the state is all that the layer carries, an LSTM's cell
    with its output. Hochreiter & Schmidhuber, section 3: it shrinks or grows as a power of the steps.

    Args:
      cut: no error flows back through the layer's matrix on its own output: 1997's rule of learning, in
        which an LSTM's cell alone carries errors.
    """
    layer, output = params["forward"], params["output"]
    inputs = jax.nn.one_hot(batch.words.T, model.words)
    sums = inputs @ layer["input"]["kernel"] + layer["input"]["bias"][None, None]
    start = zero_state(model.kind, len(batch.words), model.units)

    def dense(name, v):
        return (jax.lax.stop_gradient(v) if cut else v) @ layer[name]

    def nats(added):
        def step(state, x):
            of_inputs, added = x
            state = jax.tree.map(jnp.add, state, added)
            state = cell_step(model.kind, "before", dense, of_inputs, state)
            return state, None

        state, _ = jax.lax.scan(step, start, (of_gates(model.kind, sums), added))
        scores = state[-1] @ output["kernel"] + output["bias"][None]
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), batch.tags[:, -1:], axis=1).sum()

    nothing = jax.tree.map(lambda x: jnp.zeros((len(sums), *x.shape)), start)
    gradients = jax.tree.leaves(jax.grad(nats)(nothing))
    return jnp.sqrt(sum(jnp.square(g).sum(axis=-1) for g in gradients)).mean(axis=1)


def scaled(params: Params, gain: float) -> Params:
    """Parameters of a network of tanh units whose matrix on its own state is `gain` times as large."""
    layer = params["forward"]
    return params | {"forward": layer | {"recurrent": gain * layer["recurrent"]}}
