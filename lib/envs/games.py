"""Games as pure functions, that compile into the training loop: MinAtar's five, and Catch.

MinAtar (Young & Tian 2019, arXiv:1903.03176) plays five Atari games on a picture of 10 x 10 with a
channel for each kind of thing. Its JAX version is pgx-minatar's, Seaquest's as mended in `lib.envs.seaquest`;
a test holds all five against the original package, step by step.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lib.envs import catch
from lib.envs.names import CHANNELS
from lib.ops.rows import across_devices

State = Any


class Game(NamedTuple):
    """Pure functions of one game; what follows a terminal step is for the caller to `reset`.

    Attributes:
      name: see `lib.envs.names`.
      actions: how many there are.
      shape: of an observation, `(h, w, c)`.
      channels: what each of the c shows.
      reset: `reset(key) -> state`.
      step: `step(state, action, key) -> (state, reward, terminal)`; float32 and bool scalars.
      observe: `observe(state) -> bool [h, w, c]`.
    """

    name: str
    actions: int
    shape: tuple[int, int, int]
    channels: tuple[str, ...]
    reset: Callable[[jax.Array], State]
    step: Callable[[State, jax.Array, jax.Array], tuple[State, jax.Array, jax.Array]]
    observe: Callable[[State], jax.Array]


def make_game(name: str, *, sticky: float = 0.0, hide: tuple[str, ...] = ()) -> Game:
    """The game `name`.

    Args:
      sticky: the probability that the game repeats the action before instead (MinAtar's is 0.1).
      hide: channels that the player does not get to see.

    Raises:
      ValueError: there is no such channel.
    """
    unknown = set(hide) - set(CHANNELS[name])
    if unknown:
        raise ValueError(f"{name} has no channel {', '.join(sorted(unknown))}")
    shown = tuple(c for c in CHANNELS[name] if c not in hide)
    shown_channels = np.array([CHANNELS[name].index(c) for c in shown])
    if name == "catch":
        (h, w), actions = catch.SHAPE, catch.ACTIONS
        reset, step, observe = catch.reset, catch.sticky_step(sticky), catch.observe
    else:
        h, w = 10, 10
        env = _minatar(name, sticky)
        actions = len(env.minimal_action_set)  # `env.num_actions` would begin a game, uncompiled

        # Pgx uses a key twice (in branches of which one is taken); as plain numbers that is not tracked.
        def reset(key):
            return env.init(jax.random.key_data(key))

        def step(state, action, key):
            state = env.step(state, action, jax.random.key_data(key))
            return state, state.rewards[0], state.terminated

        def observe(state):
            return state.observation

    return Game(
        name,
        actions,
        (h, w, len(shown)),
        shown,
        reset,
        step,
        lambda state: observe(state)[..., shown_channels] if hide else observe(state),
    )


def _minatar(name: str, sticky: float):
    package, kind = "pgx_minatar", "MinAtar" + name.title().replace("_", "")
    if name == "seaquest":
        package, kind = "lib.envs", "Seaquest"
    module = importlib.import_module(f"{package}.{name}")
    return getattr(module, kind)(use_minimal_action_set=True, sticky_action_prob=sticky)


def anew_where(over: jax.Array, fresh: State, states: State) -> State:
    """`fresh` where `over` `[n]`, `states` elsewhere; both stacked along a leading axis n."""

    def choose(new, old):
        return jnp.where(over.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(choose, fresh, states)


def reset_where(game: Game, over: jax.Array, states: State, keys: jax.Array) -> State:
    """`states` `[n, ...]`, begun anew where `over` `[n]`; several devices take some of the games each."""
    over, states, keys = across_devices((over, states, keys))
    return anew_where(over, jax.vmap(game.reset)(keys), states)
