"""What an agent's values do along its own games, and along games that a script plays (2013, Figure 3)."""

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


def _around(values, games, before: int, after: int) -> tuple[list[float], list[float]]:
    """How far values rise in the `before` steps to a reward, and fall in the `after` steps from there.

    Means over the rewards of each game that stand alone; NaN where none does.
    """
    rises, falls = [], []
    for value, seen in zip(values, games, strict=True):
        around = around_rewards(value, seen.reward, seen.terminal, before, after=2)
        some = len(around) > 0
        rises.append(float((around[:, before] - around[:, 0]).mean()) if some else np.nan)
        falls.append(
            float((around[:, before] - around[:, before + after]).mean()) if some else np.nan
        )
    return rises, falls


def own_values(name: str, values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Along the agents' own games: in the four steps to a reward, and in the step after it."""
    rises, falls = _around(values, games, before=4, after=1)
    return {f"{name}_value_own_rise": rises, f"{name}_value_own_fall": falls}


def value_error(seen, gamma: float) -> float:
    """The mean of |r + gamma V(s') - Q(s, a)|: how far a value is from what the next step says of it."""
    taken = np.take_along_axis(seen.q, seen.action[:, None], axis=1)[:-1, 0]
    after = np.where(seen.terminal[:-1], 0, seen.q[1:].max(axis=1))
    return float(np.abs(np.clip(seen.reward[:-1], -1, 1) + gamma * after - taken).mean())


def breakout_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Around each brick that is struck: from four steps before to the strike, and to the step after it."""
    rises, falls = _around(values, games, before=4, after=1)
    return {"breakout_value_rise": rises, "breakout_value_fall": falls}


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
    rises, falls = _around(values, games, before=12, after=2)
    return {"freeway_value_rise": rises, "freeway_value_fall": falls}


OWN = ("breakout", "seaquest")
"""Games whose values are looked at along the agent's own play."""
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
