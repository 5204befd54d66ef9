"""The Q-learning rule with a neural network: a step along the temporal-difference error.

Mnih et al. 2015 (Nature 518:529), Algorithm 1:

    y = r                                   if the episode ended
    y = r + gamma max_a' Q(s', a'; theta^-)   otherwise,
    theta moves along (y - Q(s, a; theta)) grad Q(s, a; theta)

with theta^- a copy of theta that is renewed every C steps (`target_every`).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import chex
import flax.struct
import jax
import jax.numpy as jnp
import optax

from lib.ops.rows import across_devices

Params = Any


@flax.struct.dataclass
class QState:
    """Parameters theta, the target's theta^-, and the state of the optimiser."""

    params: Params
    target: Params
    opt: optax.OptState


class Transitions(NamedTuple):
    """n transitions. `observation` and `next_observation` are whatever `apply` takes; `action` int32 [n],
    `reward` float32 [n], `terminal` bool [n]."""

    observation: Any
    action: jax.Array
    reward: jax.Array
    terminal: jax.Array
    next_observation: Any


def init_state(params: Params, tx: optax.GradientTransformation) -> QState:
    """A state at update 0; the target is a copy."""
    return QState(params, jax.tree.map(jnp.copy, params), tx.init(params))


def td_target(reward: jax.Array, terminal: jax.Array, next_q: jax.Array, gamma: float) -> jax.Array:
    """`r + gamma max_a' Q(s', a')`, or r where the episode ended: `[n]`, without a gradient.

    `reward`, `terminal` `[n]`; `next_q` `[n, actions]`.
    """
    chex.assert_rank([reward, terminal, next_q], [1, 1, 2])
    bootstrap = jnp.where(terminal, 0.0, next_q.max(axis=1))
    return jax.lax.stop_gradient(reward + gamma * bootstrap)


def clipped_error_loss(error: jax.Array) -> jax.Array:
    """A loss whose gradient is the error clipped to [-1, 1]: squared inside, linear outside."""
    size = jnp.abs(error)
    return jnp.where(size <= 1, 0.5 * error**2, size - 0.5)


def q_learning(
    apply: Callable[[Params, Any], jax.Array],
    tx: optax.GradientTransformation,
    *,
    gamma: float,
    separate_target: bool = True,
    clip_error: bool = True,
    reduce: Literal["sum", "mean"] = "sum",
) -> Callable[[QState, Transitions], tuple[QState, dict[str, jax.Array]]]:
    """`step(state, transitions) -> (state, metrics)`; `apply(params, observation) -> q [n, actions]`.

    Args:
      separate_target: bootstrap from `state.target` (2015) or from the parameters themselves (2013).
      clip_error: clip the error to [-1, 1] (2015), or let it be (2013).
      reduce: how the gradients of a minibatch make one: DeepMind's released code sums them.

    The metrics are the mean `loss`, and `q`, the mean over the minibatch of max_a Q(s, a).
    """
    total = jnp.sum if reduce == "sum" else jnp.mean

    def step(state: QState, batch: Transitions):
        batch = across_devices(batch)
        behind = state.target if separate_target else state.params
        y = td_target(batch.reward, batch.terminal, apply(behind, batch.next_observation), gamma)

        def loss(params):
            q = apply(params, batch.observation)
            taken = jnp.take_along_axis(q, batch.action[:, None], axis=1)[:, 0]
            error = y - taken
            each = clipped_error_loss(error) if clip_error else 0.5 * error**2
            return total(each), {"loss": each.mean(), "q": q.max(axis=1).mean()}

        gradients, metrics = jax.grad(loss, has_aux=True)(state.params)
        updates, opt = tx.update(gradients, state.opt, state.params)
        return state.replace(params=optax.apply_updates(state.params, updates), opt=opt), metrics

    return step


def renew_target(state: QState, now: jax.Array) -> QState:
    """theta^- <- theta where `now`, a bool scalar; as it was otherwise."""
    target = jax.tree.map(lambda new, old: jnp.where(now, new, old), state.params, state.target)
    return state.replace(target=target)


def epsilon_greedy(key: jax.Array, q: jax.Array, epsilon: jax.Array | float) -> jax.Array:
    """For each row of `q` `[n, actions]` the best action, or any one with probability epsilon: int32 [n].

    Ties are broken at random, as in the released code.
    """
    chex.assert_rank(q, 2)
    n, actions = q.shape
    # One draw for everything: on a CPU each call of the generator costs more than its numbers do.
    explore, any_, *ties = jax.random.uniform(key, (2 + actions, n))
    greedy = jnp.argmax((q == q.max(axis=1, keepdims=True)) * (1 + jnp.stack(ties, axis=1)), axis=1)
    return jnp.where(explore < epsilon, jnp.floor(any_ * actions), greedy).astype(jnp.int32)
