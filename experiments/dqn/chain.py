"""Tabular Q-learning on a chain of states, where the values are known: a power of gamma each."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lib.steps.q_learning import Transitions, init_state, q_learning, renew_target

STATES, UPDATES, TARGET_EVERY = 5, 2_000, 20


def learn_chain(gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """`(learned, true)` values `[STATES]` of going right; the last step right is worth 1 and ends it all.

    The network is a table: linear, on one-hot states. Each update sees every transition once.
    """
    state, action = (jnp.asarray(x.ravel()) for x in np.mgrid[:STATES, :2])
    after = jnp.clip(state + 2 * action - 1, 0, STATES - 1)
    end = (state == STATES - 1) & (action == 1)
    one_hot = jnp.eye(STATES)
    batch = Transitions(one_hot[state], action, end.astype(jnp.float32), end, one_hot[after])
    tx = optax.sgd(0.5)
    learn = q_learning(lambda table, x: x @ table, tx, gamma=gamma)

    def update(learner, t):
        learner, _ = learn(learner, batch)
        return renew_target(learner, t % TARGET_EVERY == 0), None

    start = init_state(jnp.zeros((STATES, 2)), tx)
    learner, _ = jax.jit(lambda s: jax.lax.scan(update, s, jnp.arange(UPDATES)))(start)
    return np.asarray(learner.params[:, 1]), gamma ** np.arange(STATES - 1, -1, -1.0)
