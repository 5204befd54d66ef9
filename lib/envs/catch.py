"""Catch: a ball falls, a paddle at the bottom has to be below it in the end (Mnih et al. 2014,
arXiv:1406.6247, section 4.3, in the size that bsuite made common: 10 rows, 5 columns).

The reward is +1 or -1, in the last step only: the value of a state is a power of gamma, which makes
it a game to test on.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

SHAPE, ACTIONS = (10, 5), 3
"""Rows and columns; left, stay, right."""


class State(NamedTuple):
    """Columns and rows are int32 scalars; `last` is the action before."""

    row: jax.Array
    ball: jax.Array
    paddle: jax.Array
    last: jax.Array


def reset(key: jax.Array) -> State:
    """The ball in any column of the top row, the paddle in the middle."""
    ball = jax.random.randint(key, (), 0, SHAPE[1])
    return State(jnp.int32(0), ball, jnp.int32(SHAPE[1] // 2), jnp.int32(1))


def sticky_step(sticky: float):
    """`step(state, action, key)` that repeats the action before with probability `sticky`."""

    def step(state: State, action: jax.Array, key: jax.Array):
        again = jax.random.uniform(key) < sticky
        action = jnp.where(again, state.last, action).astype(jnp.int32)
        row = state.row + 1
        paddle = jnp.clip(state.paddle + action - 1, 0, SHAPE[1] - 1)
        terminal = row == SHAPE[0] - 1
        caught = jnp.where(paddle == state.ball, 1.0, -1.0)
        return State(row, state.ball, paddle, action), jnp.where(terminal, caught, 0.0), terminal

    return step


def observe(state: State) -> jax.Array:
    """bool `[10, 5, 2]`: ball, paddle."""
    picture = jnp.zeros((*SHAPE, 2), bool)
    picture = picture.at[state.row, state.ball, 0].set(True)
    return picture.at[SHAPE[0] - 1, state.paddle, 1].set(True)
