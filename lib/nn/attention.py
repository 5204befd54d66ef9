"""Attention over the words of a sentence (Bahdanau et al. 2015, arXiv:1409.0473)."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.dense import Dense
from lib.nn.recurrent import (
    GATES,
    Kind,
    Reset,
    State,
    cell_step,
    of_context,
    of_gates,
    recurrent_kernels,
    scan_dense,
)


def additive_attention(
    query: jax.Array, keys: jax.Array, v: jax.Array, mask: jax.Array
) -> jax.Array:
    """`alpha [B, S]`, which sums to one over real words: the softmax of `v^T tanh(query + keys)`.

    Args:
      query: `[B, A]`, `W_a s`.
      keys: `[B, S, A]`, `U_a h_j`.
      v: `[A]`.
      mask: bool `[B, S]`, true at real words; the others get 0.
    """
    energy = jnp.tanh(query[:, None] + keys) @ v
    return jax.nn.softmax(jnp.where(mask, energy, -jnp.inf), axis=1)


class AttentiveDecoder(nn.Module):
    """A recurrent layer that looks at a memory before each step, `[B, T, d]` to `[B, T, ...]`.

        alpha_ij = softmax_j(v^T tanh(W_a s_{i-1} + U_a h_j)),   c_i = sum_j alpha_ij h_j,
        s_i = cell(s_{i-1}, inputs_i, c_i)

    Attributes:
      units, kind, reset: as `lib.nn.recurrent.Recurrent`'s; `c_i` enters as its context does.
      alignment: units of the hidden layer between states and energies.
    """

    units: int
    alignment: int
    kind: Kind = "gru"
    reset: Reset = "before"

    @nn.compact
    def __call__(
        self, inputs: jax.Array, memory: jax.Array, mask: jax.Array, start: State
    ) -> tuple[dict[str, jax.Array], State]:
        """`(what each step had, state after the last step)`.

        What each step had: `before` `[B, T, units]`, the hidden state that it began with, and `after`;
        `context` `[B, T, m]`; `weights` `[B, T, S]`, the alpha.

        Args:
          memory: `[B, S, m]`.
          mask: bool `[B, S]`, true at real words of it.
        """
        glorot = nn.initializers.xavier_uniform()
        kernels = recurrent_kernels(self, self.kind, self.units, self.reset)
        kernels["query"] = self.param("query", glorot, (self.units, self.alignment))
        kernels["memory"] = memory
        sums = GATES[self.kind] * self.units
        kernels["context"] = self.param("context", glorot, (memory.shape[-1], sums))
        weights = {
            "v": self.param("v", nn.initializers.normal(0.1), (self.alignment,)),
            "keys": Dense(self.alignment, kernel_init=glorot, name="keys")(memory),
            "mask": mask.astype(memory.dtype),
        }
        if self.kind == "gru" and self.reset != "before":
            weights["gated"] = self.param("gated", nn.initializers.zeros, (self.units,))[None]
        xs = Dense(sums, kernel_init=glorot, name="input")(inputs.swapaxes(0, 1))
        step = partial(_attentive_step, self.kind, self.reset)
        state, ys = scan_dense(step, kernels, weights, start, xs)
        return jax.tree.map(lambda y: y.swapaxes(0, 1), ys), state


def _attentive_step(kind, reset, dense, weights, state, x):
    before = state[-1]
    alpha = additive_attention(
        dense("query", before), weights["keys"], weights["v"], weights["mask"] > 0
    )
    context = dense("memory", alpha)
    beside, gated = of_context(kind, reset, dense("context", context))
    if "gated" in weights:
        gated = weights["gated"] if gated is None else weights["gated"] + gated
    state = cell_step(kind, reset, dense, of_gates(kind, x + beside), state, gated)
    had = {"before": before, "after": state[-1], "context": context, "weights": alpha}
    return state, had
