"""Recurrent layers whose weight gradients are one product over all steps, not a sum kept step by step.

Plain `lax.scan` of `h W` adds `h_t^T dg_t` to the gradient of W at every step of the backward pass: for
one sequence that reads and writes the whole matrix to add a rank-one product. Here the backward pass
yields `dg_t` alone, and `dW = sum_t h_t^T dg_t` is one matrix product at the end. What it needs of the
forward pass is the state before each step and the products; gates are computed again, which is cheaper
than to write and read each of them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.dense import Dense
from lib.nn.initializers import orthogonal_blocks, symmetric_uniform

PyTree = Any
Kind = Literal["gru", "lstm", "tanh"]
Reset = Literal["before", "after", "after_with_context"]
State = tuple[jax.Array, ...]
Product = Callable[[str, jax.Array], jax.Array]
Step = Callable[[Product, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def scan_dense(
    step: Step, kernels: Mapping[str, jax.Array], weights: PyTree, carry: PyTree, xs: PyTree
) -> tuple[PyTree, PyTree]:
    """`lax.scan` of `step(dense, weights, carry, x) -> (carry, y)` over the leading axis of `xs`.

    Args:
      step: multiplies by the kernels through `dense(name, v) = v @ kernels[name]` only, each of them
        exactly once, with `v` of shape `[B, d]`. Must not close over arrays that are differentiated.
      kernels: matrices by name: `[d, e]`, or `[B, d, e]`, one for each row of `v`.
      weights: whatever else is the same at every step (biases); differentiated as usual.
      carry: before the first step.
      xs: stacked over time.

    Returns:
      `(carry, ys)` as `lax.scan` does. Derivatives in reverse mode only.

    Raises:
      ValueError: `step` multiplies by a kernel not once.
    """
    _check_used_once(step, kernels, weights, carry, xs)

    def body(carry, x):
        return step(lambda name, v: _product(v, kernels[name]), weights, carry, x)

    return jax.lax.scan(body, carry, xs)


def _product(v, kernel):
    if kernel.ndim == 2:
        return v @ kernel
    # So many small products are slow as such on a CPU.
    return (v[:, :, None] * kernel).sum(axis=1)


def _product_of_rows(g, kernel):
    return (g[:, None] * kernel).sum(axis=2)


@jax.custom_vjp
def _known(v, kernel, product):
    """`v kernel`, which is `product`; hands its gradient to `v` and to `product`, not to `kernel`."""
    del v, kernel
    return product


def _known_backward(kernel, g):
    to_v = jnp.einsum("be,de->bd", g, kernel) if kernel.ndim == 2 else _product_of_rows(g, kernel)
    return to_v, None, g


_known.defvjp(lambda v, kernel, product: (product, kernel), _known_backward)


def _forward(step, kernels, weights, carry, xs):
    _check_used_once(step, kernels, weights, carry, xs)

    def body(carry, x):
        products = {}

        def dense(name, v):
            products[name] = _product(v, kernels[name])
            return products[name]

        after, y = step(dense, weights, carry, x)
        return after, (y, carry, products)

    carry, (ys, before, products) = jax.lax.scan(body, carry, xs)
    return (carry, ys), (kernels, weights, before, products, xs)


def _check_used_once(step, kernels, weights, carry, xs):
    """A second use of a kernel would be left out of its gradient."""
    used = set()

    def dense(name, v):
        if name in used:
            raise ValueError(f"step multiplies by {name} twice: give it a kernel each time")
        used.add(name)
        return _product(v, kernels[name])

    jax.eval_shape(
        lambda w, c, x: step(dense, w, c, x), weights, carry, jax.tree.map(lambda x: x[0], xs)
    )
    if used != kernels.keys():
        raise ValueError(f"step does not use {', '.join(sorted(kernels.keys() - used))}")


def _backward(step, saved, gradient):
    kernels, weights, before, products, xs = saved
    xs, tree = jax.tree.flatten(xs)
    learned = [jnp.issubdtype(x.dtype, jnp.inexact) for x in xs]  # not masks and numbers of steps

    def body(carry, at):
        to_carry, to_weights = carry
        before, products, xs, to_y = at

        def again(products, weights, before, inexact):
            inexact, factors = iter(inexact), {}

            def dense(name, v):
                factors[name] = v
                return _known(v, kernels[name], products[name])

            x = [next(inexact) if moves else x for x, moves in zip(xs, learned, strict=True)]
            return step(dense, weights, before, tree.unflatten(x)), factors

        inexact = [x for x, moves in zip(xs, learned, strict=True) if moves]
        _, backward, factors = jax.vjp(again, products, weights, before, inexact, has_aux=True)
        to_products, more, to_carry, to_x = backward((to_carry, to_y))
        return (to_carry, jax.tree.map(jnp.add, to_weights, more)), (factors, to_products, to_x)

    to_carry, to_ys = gradient
    start = (to_carry, jax.tree.map(jnp.zeros_like, weights))
    (to_carry, to_weights), (factors, to_products, to_xs) = jax.lax.scan(
        body, start, (before, products, xs, to_ys), reverse=True
    )
    to_kernels = {
        name: _over_all_steps(factors[name], to_products[name], kernel.ndim)
        for name, kernel in kernels.items()
    }
    to_xs = iter(to_xs)
    to_xs = tree.unflatten([next(to_xs) if moves else None for moves in learned])
    return to_kernels, to_weights, to_carry, to_xs


def _over_all_steps(v, g, rank):
    """The gradient of a kernel: of one for all rows a product of two matrices, as fast as products are."""
    if rank == 3:
        return jnp.einsum("tbd,tbe->bde", v, g)
    return jnp.einsum("nd,ne->de", v.reshape(-1, v.shape[-1]), g.reshape(-1, g.shape[-1]))


scan_dense.defvjp(_forward, _backward)


def lstm_cell(sums: Sequence[jax.Array], cell: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`(cell, hidden)` after a step, `[B, H]` each.

    Args:
      sums: weighted inputs of the input gate, forget gate, output gate and the new content, `[B, H]` each.
      cell: before the step.
    """
    i, f, o, new = sums
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
        sums = Dense(4 * self.units, kernel_init=init, name="input")(inputs.swapaxes(0, 1))
        start = tuple(
            jnp.broadcast_to(
                self.param(name, nn.initializers.normal(0.05), (self.units,)),
                (inputs.shape[0], self.units),
            )
            for name in ("cell", "hidden")
        )
        xs = of_gates("lstm", sums)
        _, hidden = scan_dense(_lstm_step, {"recurrent": kernel}, (), start, xs)
        return hidden.swapaxes(0, 1)


def _lstm_step(dense, weights, carry, x):
    del weights
    state = cell_step("lstm", "before", dense, x, carry)
    return state, state[-1]


def gru_cell(
    dense: Product,
    inputs: Sequence[jax.Array],
    hidden: jax.Array,
    *,
    reset: Reset = "before",
    gated: jax.Array | None = None,
) -> jax.Array:
    """The gated unit's state `[B, H]` after a step (Cho et al. 2014, arXiv:1406.1078, eqs 5 to 8).

        r, z = sigmoid(inputs + h U_rz),    h' = z h + (1 - z) h~

    so that z = 1 keeps the old state. Of the candidate there are three forms in print:

    - "before": `h~ = tanh(inputs + (r h) U)`, the paper's text;
    - "after": `h~ = tanh(inputs + r (h U + gated))`, cuDNN's and PyTorch's, `gated` being a bias;
    - "after_with_context": the same, `gated` being what comes from the summary: the paper's appendix on
      the decoder, where the reset gate shuts off `C c` as well.

    They are one where r = 1.

    Args:
      dense: `dense("gates", v) = v U_rz` and `dense("candidate", v) = v U`, each used once; where the
        reset comes after, `dense("recurrent", v)` has both, side by side.
      inputs: weighted inputs of r, z and the candidate, biases included, `[B, H]` each.
      hidden: `[B, H]`, before the step.
      gated: `[B, H]` or `[1, H]`; only where the reset comes after.
    """
    to_r, to_z, to_new = inputs
    if reset == "before":
        if gated is not None:
            raise ValueError("the reset gate gates a sum only where it comes after the product")
        of_r, of_z = jnp.split(dense("gates", hidden), 2, axis=-1)
    else:
        of_r, of_z, product = jnp.split(dense("recurrent", hidden), 3, axis=-1)
    r, z = jax.nn.sigmoid(to_r + of_r), jax.nn.sigmoid(to_z + of_z)
    if reset == "before":
        beside = dense("candidate", r * hidden)
    else:
        beside = r * (product if gated is None else product + gated)
    return z * hidden + (1 - z) * jnp.tanh(to_new + beside)


GATES = {"gru": 3, "lstm": 4, "tanh": 1}
"""Weighted sums a unit has of its inputs."""


def of_gates(kind: Kind, sums: jax.Array) -> list[jax.Array]:
    """Each gate's of all sums `[..., GATES[kind] * H]`: on a CPU an array each is read faster."""
    return jnp.split(sums, GATES[kind], axis=-1)


def cell_step(
    kind: Kind,
    reset: Reset,
    dense: Product,
    sums: Sequence[jax.Array],
    state: State,
    gated: jax.Array | None = None,
) -> State:
    """The state after a step: `(hidden,)`, or of the LSTM `(cell, hidden)`; `[B, H]` each.

    Args:
      dense: see `gru_cell`; for the others `dense("recurrent", hidden)`.
      sums: weighted inputs, `[B, H]` for each gate (see `of_gates`).
    """
    if kind == "gru":
        return (gru_cell(dense, sums, state[0], reset=reset, gated=gated),)
    sums = [a + b for a, b in zip(sums, of_gates(kind, dense("recurrent", state[-1])), strict=True)]
    if kind == "lstm":
        return lstm_cell(sums, state[0])
    return (jnp.tanh(*sums),)


def recurrent_kernels(
    module: nn.Module, kind: Kind, units: int, reset: Reset, spread: float = 0.0
) -> dict[str, jax.Array]:
    """The matrices on the state, as parameters of `module`.

    Each square block starts orthogonal, or, where a `spread` is given, with all in U(-spread, spread).
    """
    init = symmetric_uniform(spread) if spread else orthogonal_blocks
    blocks = {
        "gru": {"gates": 2, "candidate": 1},
        "lstm": {"recurrent": 4},
        "tanh": {"recurrent": 1},
    }
    kernels = {
        name: module.param(name, init, (units, n * units)) for name, n in blocks[kind].items()
    }
    if kind == "gru" and reset != "before":  # both multiply the same: one product
        return {"recurrent": jnp.concatenate([*kernels.values()], axis=1)}
    return kernels


def context_sums(kind: Kind, units: int) -> nn.Dense:
    """What a context adds to the weighted inputs of a step; the biases are with the other inputs."""
    return nn.Dense(
        GATES[kind] * units,
        use_bias=False,
        kernel_init=nn.initializers.xavier_uniform(),
        name="context",
    )


def of_context(kind: Kind, reset: Reset, sums: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """`(what is added to the inputs, what the reset gate gates)` of a context's sums `[B, ...]`."""
    if kind != "gru" or reset != "after_with_context":
        return sums, None
    gates, candidate = jnp.split(sums, [2 * sums.shape[-1] // 3], axis=-1)
    return jnp.concatenate([gates, jnp.zeros_like(candidate)], axis=-1), candidate


def zero_state(kind: Kind, batch: int, units: int) -> State:
    """Before the first step."""
    return (jnp.zeros((batch, units)),) * (2 if kind == "lstm" else 1)


def where_real(real: jax.Array, new: State, old: State) -> State:
    """`new` in the rows that `real` `[B]` has, `old` in those that are padding."""
    return jax.tree.map(lambda n, o: jnp.where(real[:, None], n, o), new, old)


class Recurrent(nn.Module):
    """A recurrent layer that padding does not touch, `[B, T, d]` to `[B, T, units]`.

    Through padded steps the state is carried as it is, so that the last step's is that of the last word,
    and what is behind it changes nothing.

    Attributes:
      kind: "gru", "lstm" (no peepholes; Gers et al. 2000), or "tanh": `h' = tanh(x W + h U + b)`.
      reset: of the GRU (see `gru_cell`).
      backward: from the last step to the first.
      keep: what the bias of the gate that keeps the state begins with: the LSTM's forget gate, the GRU's
        update gate. A cell of 1997, without a forget gate, is one whose gate is open for good: 100.
      spread: of the matrices on the state (see `recurrent_kernels`).
    """

    units: int
    kind: Kind = "gru"
    reset: Reset = "before"
    backward: bool = False
    keep: float = 0.0
    spread: float = 0.0

    @nn.compact
    def __call__(
        self,
        inputs: jax.Array,
        mask: jax.Array | None = None,
        start: State | None = None,
        context: jax.Array | None = None,
    ) -> tuple[jax.Array, State]:
        """`(hidden [B, T, units], state after the last step)`.

        Args:
          mask: bool `[B, T]`, true at real steps; None: all are.
          start: before the first step (see `cell_step`); None: zeros.
          context: `[B, d]`, an input of every step beside `inputs`.
        """
        batch = inputs.shape[0]
        sums = Dense(
            GATES[self.kind] * self.units,
            kernel_init=nn.initializers.xavier_uniform(),
            bias_init=_begins_keeping(self.kind, self.keep),
            name="input",
        )(inputs.swapaxes(0, 1))
        weights = ()
        if self.kind == "gru" and self.reset != "before":
            weights = self.param("gated", nn.initializers.zeros, (self.units,))[None]
        if context is not None:
            beside = context_sums(self.kind, self.units)(context)
            beside, gated = of_context(self.kind, self.reset, beside)
            sums = sums + beside[None]
            weights = weights if gated is None else weights + gated
        state = zero_state(self.kind, batch, self.units) if start is None else start
        xs = (of_gates(self.kind, sums), None if mask is None else mask.swapaxes(0, 1))
        if self.backward:
            xs = jax.tree.map(lambda x: x[::-1], xs)
        step = partial(_recurrent_step, self.kind, self.reset)
        kernels = recurrent_kernels(self, self.kind, self.units, self.reset, self.spread)
        state, hidden = scan_dense(step, kernels, weights, state, xs)
        if self.backward:
            hidden = hidden[::-1]
        return hidden.swapaxes(0, 1), state


def _begins_keeping(kind, keep):
    if not keep:
        return nn.initializers.zeros
    if kind == "tanh":
        raise ValueError("a layer of tanh units has no gate that keeps its state")

    def init(key, shape, dtype=jnp.float32):
        del key
        blocks = jnp.zeros((GATES[kind], shape[0] // GATES[kind]), dtype)
        return blocks.at[1].set(keep).reshape(shape)  # of either kind the second

    return init


def _recurrent_step(kind, reset, dense, weights, state, x):
    sums, real = x
    gated = weights if kind == "gru" and reset != "before" else None
    after = cell_step(kind, reset, dense, sums, state, gated)
    state = after if real is None else where_real(real, after, state)
    return state, state[-1]


class Bidirectional(nn.Module):
    """Two layers over the same steps, one from either end (Schuster & Paliwal 1997).

    `[B, T, d]` to `[B, T, 2 units]`: at each step what the forward layer has seen up to it, then what the
    backward layer has seen from the end down to it. Attributes as `Recurrent`'s.
    """

    units: int
    kind: Kind = "gru"
    reset: Reset = "before"

    @nn.compact
    def __call__(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        layers = {"forward": False, "backward": True}
        hidden = [
            Recurrent(self.units, self.kind, self.reset, backward, name=name)(inputs, mask)[0]
            for name, backward in layers.items()
        ]
        return jnp.concatenate(hidden, axis=-1)
