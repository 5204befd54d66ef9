"""The supervised learning rule: minimise a mean loss over minibatches."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import optax

Params = Any


@flax.struct.dataclass
class SupervisedState:
    """Parameters and the state of their optimiser."""

    params: Params
    opt: optax.OptState


def init_state(params: Params, tx: optax.GradientTransformation) -> SupervisedState:
    """A state at update 0."""
    return SupervisedState(params, tx.init(params))


def supervised(
    loss: Callable[[Params, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]],
    tx: optax.GradientTransformation,
) -> Callable:
    """`step(state, batch, key) -> (state, metrics)` for `loss(params, batch, key) -> (loss, metrics)`.

    The metrics are the loss's own and `loss`, at the parameters before the update.
    """

    def step(state, batch, key):
        (value, metrics), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.params, batch, key
        )
        updates, opt = tx.update(gradients, state.opt, state.params)
        params = optax.apply_updates(state.params, updates)
        return SupervisedState(params, opt), {"loss": value, **metrics}

    return step
