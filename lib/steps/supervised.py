"""The supervised learning rule: minimise a mean loss over minibatches; at one step size, or at several.

    rule = search(loss, adam, rates=(1e-3, 1e-2))
    state = rule.begin(params, key)                     # networks that are compared get the same key
    state, metrics = rule.step(state, lambda key: draw(key, t))
    metrics["loss_0"]                                    # at 1e-3
    params = at(state, 1)                                # when validation has said which

A comparison of two networks is then a fair one by construction: the same batches, the same search.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from lib.ops.rows import across_devices

Params = Any
Loss = Callable[[Params, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
Rule = Callable[[jax.Array], optax.GradientTransformation]


@flax.struct.dataclass
class SupervisedState:
    """Parameters and the state of their optimiser."""

    params: Params
    opt: optax.OptState


def init_state(params: Params, tx: optax.GradientTransformation) -> SupervisedState:
    """A state at update 0."""
    return SupervisedState(params, tx.init(params))


def supervised(
    loss: Loss,
    tx: optax.GradientTransformation,
) -> Callable:
    """`step(state, batch, key) -> (state, metrics)` for `loss(params, batch, key) -> (loss, metrics)`.

    The metrics are the loss's own and `loss`, at the parameters before the update.
    """

    def step(state, batch, key):
        batch = across_devices(batch)
        (value, metrics), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.params, batch, key
        )
        updates, opt = tx.update(gradients, state.opt, state.params)
        params = optax.apply_updates(state.params, updates)
        return SupervisedState(params, opt), {"loss": value, **metrics}

    return step


@flax.struct.dataclass
class SearchState:
    """`stream`: the key that batches are drawn with, as numbers. `tried`: a state a rate, stacked."""

    stream: jax.Array
    tried: SupervisedState


class Search(NamedTuple):
    """`begin(params, key) -> state`; `step(state, draw) -> (state, losses)`, with `draw(key) -> batch`."""

    begin: Callable[[Params, jax.Array], SearchState]
    step: Callable[..., tuple[SearchState, dict[str, jax.Array]]]


def search(loss: Loss, rule: Rule, rates: Sequence[float]) -> Search:
    """The learning rule of one network at all of `rates`, from the same parameters and batches.

    One network a program, not all that are compared: XLA's CPU executor was seen to wait for ever (jax
    0.10) where four recurrent networks were independent of one another in one program.

    Args:
      loss: as `lib.steps.supervised` has it.
      rule: `rule(rate)`, the optimiser; `rate` may be traced, and its state must not depend on it.
    """
    rates = tuple(rates)

    def begin(params, key):
        tried = jax.vmap(lambda rate: init_state(params, rule(rate)))(jnp.asarray(rates))
        return SearchState(jax.random.key_data(key), tried)

    def step(state, draw):
        key = jax.random.wrap_key_data(state.stream)
        batch = draw(key)

        def update(one, rate):
            return supervised(loss, rule(rate))(one, batch, jax.random.clone(key))

        tried, metrics = jax.vmap(update)(state.tried, jnp.asarray(rates))
        losses = {f"loss_{i}": metrics["loss"][i] for i in range(len(rates))}
        return SearchState(state.stream, tried), losses

    return Search(begin, step)


def at(state: SearchState, place: int) -> Params:
    """The parameters at the rate of this place."""
    return jax.tree.map(lambda x: x[place], state.tried.params)


def losses_at(rows: Sequence[Mapping[str, Any]], places: Sequence[int]) -> list[list[float]]:
    """A row's losses at the rates that were chosen: of seed i that of `places[i]`.

    Args:
      rows: with lists over seeds of what `step` measures (see `lib.run.loop`).
    """
    return [[row[f"loss_{place}"][i] for i, place in enumerate(places)] for row in rows]
