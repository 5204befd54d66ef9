"""The Neural Turing Machine and its LSTM baseline (Graves et al. 2014, arXiv:1410.5401)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.dense import Dense
from lib.nn.memory import Memory, access, head_outputs
from lib.nn.recurrent import LSTM, lstm_cell, of_gates, scan_dense

Trace = dict[str, jax.Array]


class NTM(nn.Module):
    """A controller with as many read as write heads on a memory of N rows of M values.

    `inputs` `[B, T, I]` to `logits` `[B, T, outputs]`. The controller sees the input and the last
    reads; the output is a linear function of the controller's output and the new reads.

    Attributes:
      outputs: bits that are predicted at a step.
      controller: "lstm", or "feedforward": rectified layers, with no state of their own.
      hidden: units of each layer of the controller.
      heads: read heads, and write heads.
      rows, width: N and M.
      memory: at the start of a sequence, "learned" (the paper: bias values) or "constant" (1e-6; Collier
        & Beel 2018, arXiv:1807.08518).
    """

    outputs: int
    controller: Literal["lstm", "feedforward"] = "lstm"
    hidden: Sequence[int] = (100,)
    heads: int = 1
    rows: int = 128
    width: int = 20
    memory: Literal["learned", "constant"] = "learned"

    @nn.compact
    def __call__(self, inputs: jax.Array, *, trace: bool = False) -> Any:
        """`logits`, or with `trace` also every step's weightings, memory, reads, writes, time after B."""
        batch = inputs.shape[0]
        kernels, weights, xs = {}, {}, {}
        gates = 4 if self.controller == "lstm" else 1
        glorot, zeros = nn.initializers.xavier_uniform(), nn.initializers.zeros

        inside = self.heads * self.width
        for i, units in enumerate(self.hidden):
            own = units if self.controller == "lstm" else 0
            kernels[f"layer_{i}"] = self.param(f"layer_{i}", glorot, (inside + own, gates * units))
            if i == 0:
                xs["layer_0"] = Dense(gates * units, kernel_init=glorot, name="input")(inputs)
            else:
                weights[f"bias_{i}"] = self.param(f"bias_{i}", zeros, (gates * units,))
            inside = units
        outputs = head_outputs(self.width, self.heads, self.heads)
        kernels["heads"] = self.param("heads", glorot, (inside, outputs))
        weights["heads"] = self.param("heads_bias", nn.initializers.normal(0.01), (outputs,))

        carry = (self._initial_memory(batch), self._initial_state(batch))
        step = partial(_step, self.controller, len(self.hidden), self.heads, trace)
        xs = jax.tree.map(lambda x: x.swapaxes(0, 1), xs)
        _, ys = scan_dense(step, kernels, weights, carry, xs)
        ys = jax.tree.map(lambda y: y.swapaxes(0, 1), ys)
        hidden_and_reads = jnp.concatenate(
            [ys["output"], ys["reads"].reshape(*inputs.shape[:2], -1)], axis=2
        )
        logits = Dense(self.outputs, kernel_init=glorot, name="output")(hidden_and_reads)
        return (logits, ys) if trace else logits

    def _initial_memory(self, batch: int) -> Memory:
        if self.memory == "learned":
            bound = (self.rows + self.width) ** -0.5
            start = partial(jax.random.uniform, minval=-bound, maxval=bound)
            matrix = self.param("memory", start, (self.width, self.rows))
        else:
            matrix = jnp.full((self.width, self.rows), 1e-6)
        heads = 2 * self.heads
        logits = self.param("weightings", nn.initializers.normal(1.0), (heads, self.rows))
        reads = self.param("reads", nn.initializers.normal(0.01), (self.heads, self.width))
        memory = Memory(matrix, jax.nn.softmax(logits), reads)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), memory)

    def _initial_state(self, batch: int):
        if self.controller == "feedforward":
            return ()
        state = [
            (
                self.param(f"cell_{i}", nn.initializers.normal(0.05), (units,)),
                self.param(f"hidden_{i}", nn.initializers.normal(0.05), (units,)),
            )
            for i, units in enumerate(self.hidden)
        ]
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), tuple(state))


def _step(controller, layers, heads, trace, dense, weights, carry, x):
    memory, state = carry
    batch = memory.matrix.shape[0]
    inside = memory.reads.reshape(batch, -1)
    new_state = []
    for i in range(layers):
        bias = x["layer_0"] if i == 0 else weights[f"bias_{i}"][None]
        if controller == "lstm":
            cell, hidden = state[i]
            sums = dense(f"layer_{i}", jnp.concatenate([inside, hidden], axis=1)) + bias
            cell, inside = lstm_cell(of_gates("lstm", sums), cell)
            new_state.append((cell, inside))
        else:
            inside = jax.nn.relu(dense(f"layer_{i}", inside) + bias)
    memory, did = access(memory, dense("heads", inside) + weights["heads"][None], writes=heads)
    y = {"output": inside, "reads": memory.reads}
    if trace:
        y |= {"weightings": memory.weightings, "memory": memory.matrix.swapaxes(1, 2)}
        y |= {"erased": did.erased, "added": did.added}
    return (memory, tuple(new_state)), y


class StackedLSTM(nn.Module):
    """The paper's baseline: each layer sees the input and the layer below, the output sees all layers.

    `inputs` `[B, T, I]` to logits `[B, T, outputs]`. With L layers of H units it has `4H(I + H + 1)`
    parameters in the first layer, `4H(I + 2H + 1)` in each other, `2H` a layer for the state at the
    start, and `(LH + 1)` an output: the counts of the paper's Table 3.
    """

    outputs: int
    hidden: Sequence[int] = (256, 256, 256)

    @nn.compact
    def __call__(self, inputs: jax.Array, *, trace: bool = False) -> Any:
        """`logits`, or with `trace` also nothing: there is no memory to look at."""
        layers = []
        for units in self.hidden:
            layer_input = jnp.concatenate([inputs, *layers[-1:]], axis=2)
            layers.append(LSTM(units)(layer_input))
        init = nn.initializers.xavier_uniform()
        logits = Dense(self.outputs, kernel_init=init, name="output")(
            jnp.concatenate(layers, axis=2)
        )
        return (logits, {}) if trace else logits
