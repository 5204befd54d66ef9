"""Recurrent layers whose weight gradients are one product over all steps, not a sum kept step by step.

Plain `lax.scan` of `h W` adds `h_t^T dg_t` to the gradient of W at every step of the backward pass: for
one sequence that reads and writes the whole matrix to add a rank-one product. Here the backward pass
yields `dg_t` alone, and `dW = sum_t h_t^T dg_t` is one matrix product at the end.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

PyTree = Any
Dense = Callable[[str, jax.Array], jax.Array]
Step = Callable[[Dense, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def scan_dense(
    step: Step, kernels: Mapping[str, jax.Array], weights: PyTree, carry: PyTree, xs: PyTree
) -> tuple[PyTree, PyTree]:
    """`lax.scan` of `step(dense, weights, carry, x) -> (carry, y)` over the leading axis of `xs`.

    Args:
      step: multiplies by the kernels through `dense(name, v) = v @ kernels[name]` only, each of them
        exactly once, with `v` of shape `[B, d]`. Must not close over arrays that are differentiated.
      kernels: matrices `[d, e]` by name.
      weights: whatever else is the same at every step (biases); differentiated as usual.
      carry: before the first step.
      xs: stacked over time.

    Returns:
      `(carry, ys)` as `lax.scan` does. First derivatives in reverse mode only.

    Raises:
      ValueError: `step` multiplies by a kernel not once.
    """
    _rows(step, kernels, weights, carry, xs)

    def body(carry, x):
        return step(lambda name, v: v @ kernels[name], weights, carry, x)

    return jax.lax.scan(body, carry, xs)


def _forward(step, kernels, weights, carry, xs):
    length = jax.tree.leaves(xs)[0].shape[0]

    def run(added, weights, carry, xs):
        def body(carry, both):
            x, added = both
            multiplied = {}

            def dense(name, v):
                multiplied[name] = v
                return v @ kernels[name] + added[name]

            carry, y = step(dense, weights, carry, x)
            return carry, (y, multiplied)

        carry, (ys, multiplied) = jax.lax.scan(body, carry, (xs, added))
        return (carry, ys), multiplied

    rows = _rows(step, kernels, weights, carry, xs)
    added = {
        name: jnp.zeros((length, rows[name], kernel.shape[1]), kernel.dtype)
        for name, kernel in kernels.items()
    }
    out, backward, multiplied = jax.vjp(run, added, weights, carry, xs, has_aux=True)
    return out, (backward, multiplied)


def _rows(step, kernels, weights, carry, xs):
    """How many rows `step` gives to each kernel; checks that it does so once."""
    rows = {}

    def dense(name, v):
        if name in rows:
            raise ValueError(f"step multiplies by {name} twice: give it a kernel each time")
        rows[name] = v.shape[0]
        return v @ kernels[name]

    jax.eval_shape(
        lambda w, c, x: step(dense, w, c, x), weights, carry, jax.tree.map(lambda x: x[0], xs)
    )
    if rows.keys() != kernels.keys():
        raise ValueError(f"step does not use {', '.join(sorted(kernels.keys() - rows.keys()))}")
    return rows


def _backward(step, residuals, gradient):
    del step
    backward, multiplied = residuals
    added, weights, carry, xs = backward(gradient)
    kernels = {
        name: jnp.einsum("tbd,tbe->de", multiplied[name], added[name]) for name in multiplied
    }
    return kernels, weights, carry, xs


scan_dense.defvjp(_forward, _backward)


def lstm_cell(sums: jax.Array, cell: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`(cell, hidden)` after a step, `[B, H]` each.

    Args:
      sums: `[B, 4H]`, weighted inputs of the input gate, forget gate, output gate and the new content.
      cell: before the step.
    """
    i, f, o, new = jnp.split(sums, 4, axis=-1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(new)
    return cell, jax.nn.sigmoid(o) * jnp.tanh(cell)


class LSTM(nn.Module):
    """A layer of long short-term memory (no peepholes), `[B, T, d]` to `[B, T, units]`.

    Its state before the first step is learned.
    """

    units: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        init = nn.initializers.xavier_uniform()
        kernel = self.param("recurrent", init, (self.units, 4 * self.units))
        sums = nn.Dense(4 * self.units, kernel_init=init, name="input")(inputs)
        start = tuple(
            jnp.broadcast_to(
                self.param(name, nn.initializers.normal(0.05), (self.units,)),
                (inputs.shape[0], self.units),
            )
            for name in ("cell", "hidden")
        )
        _, hidden = scan_dense(_lstm_step, {"recurrent": kernel}, (), start, sums.swapaxes(0, 1))
        return hidden.swapaxes(0, 1)


def _lstm_step(dense, weights, carry, x):
    del weights
    cell, hidden = carry
    cell, hidden = lstm_cell(dense("recurrent", hidden) + x, cell)
    return (cell, hidden), hidden
