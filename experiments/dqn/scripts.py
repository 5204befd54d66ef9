"""Games that a script plays while an agent looks on, and what its values do (2013, Figure 3)."""

import jax
import jax.numpy as jnp
import numpy as np


def keep_the_ball(state, t):
    """Breakout's script: the paddle follows the ball. Actions are stay, left, right."""
    del t
    ball, paddle = state._ball_x, state._pos
    return state, jnp.where(ball < paddle, 1, jnp.where(ball > paddle, 2, 0))


def run_across(state, t):
    """Freeway's script: the chicken goes up, whatever comes. Actions are stay, up, down."""
    del t
    return state, jnp.int32(1)


APPEARS, FIRES = 10, 15
"""Steps of Seaquest's script."""


def meet_a_fish(state, t):
    """Seaquest's script: the submarine waits in empty water, a fish comes in at its height and is shot.

    The fish is alone: nothing else appears. Action 5 fires.
    """
    alone = state.replace(
        _sub_x=jnp.int32(1),
        _sub_y=jnp.int32(5),
        _sub_or=jnp.bool_(True),
        _surface=jnp.bool_(False),
        _e_spawn_timer=jnp.int32(1_000),
        _d_spawn_timer=jnp.int32(1_000),
    )
    # Column, row, direction (to the left), steps until it moves.
    fish = state.replace(_e_fish=state._e_fish.at[0].set(jnp.array([9, 5, 0, 3])))
    state = _if(t == 0, alone, _if(t == APPEARS, fish, state))
    return state, jnp.where(t == FIRES, 5, 0)


def _if(condition, new, old):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def around_rewards(
    value: np.ndarray, reward: np.ndarray, terminal: np.ndarray, before: int = 4, after: int = 2
) -> np.ndarray:
    """`value` `[t]` around each reward that stands alone: `[rewards, before + 1 + after]`.

    Column `before` is the state whose action brings it. A reward stands alone if no other, and no end of
    a game, is as near as the columns reach.
    """
    busy = (reward != 0) | terminal
    windows = []
    for t in np.flatnonzero(reward > 0):
        low, high = t - before, t + after + 1
        if low >= 0 and high <= len(value) and busy[low:high].sum() == 1:
            windows.append(value[low:high])
    return np.array(windows).reshape(-1, before + 1 + after)


def breakout_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Around each brick that is struck: from four steps before to the strike, and to the step after it."""
    around = [around_rewards(v, s.reward, s.terminal) for v, s in zip(values, games, strict=True)]
    return {
        "breakout_value_rise": [float((a[:, 4] - a[:, 0]).mean()) for a in around],
        "breakout_value_fall": [float((a[:, 4] - a[:, 5]).mean()) for a in around],
    }


def seaquest_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """The fish comes into sight, A; the shot is about to hit it, B; it is gone, C."""
    strike = int(games[0].reward.argmax())
    return {
        "seaquest_value_appears": [float(v[APPEARS + 1] - v[APPEARS]) for v in values],
        "seaquest_value_rise": [float(v[strike] - v[APPEARS + 1]) for v in values],
        "seaquest_value_fall": [float(v[strike] - v[strike + 2]) for v in values],
    }


def freeway_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Around each arrival at the other side: from twelve steps before, and to two steps after it."""
    around = [
        around_rewards(v, s.reward, s.terminal, before=12)
        for v, s in zip(values, games, strict=True)
    ]
    return {
        "freeway_value_rise": [float((a[:, 12] - a[:, 0]).mean()) for a in around],
        "freeway_value_fall": [float((a[:, 12] - a[:, 14]).mean()) for a in around],
    }


SCRIPTS = {
    "breakout": (1_500, keep_the_ball),
    "seaquest": (30, meet_a_fish),
    "freeway": (1_500, run_across),
}
"""Games of which the agent sees a scripted stretch: steps, and the script."""
MEASURES = {
    "breakout": breakout_values,
    "seaquest": seaquest_values,
    "freeway": freeway_values,
}
