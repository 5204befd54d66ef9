"""A replay memory on the device: a ring of single frames, from which histories are rebuilt.

Mnih et al. 2015: the last N transitions, minibatches uniform over them. Of E games played in
parallel, row t holds the frame observed at time t, the action taken on it and what that brought; the
next observation is row t + 1. A frame is stored once, though it is part of several histories. Episodes end
with a terminal step: one that is cut has no place here (`lib.envs.frame_memory` takes those).
"""

from typing import NamedTuple

import chex
import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class Replay:
    """`rows` time steps of E games.

    Attributes:
      frames: uint8 [rows, E, bytes], packed bits.
      first: bool [rows, E]; the frame begins an episode.
      action: int32 [rows, E].
      reward: float32 [rows, E].
      terminal: bool [rows, E]; the action ended the episode, and row t + 1 begins another.
      added: int32 []; rows ever written.
    """

    frames: jax.Array
    first: jax.Array
    action: jax.Array
    reward: jax.Array
    terminal: jax.Array
    added: jax.Array


class Batch(NamedTuple):
    """n transitions; observations are packed frames, oldest first.

    `observation` and `next_observation` uint8 [n, history, bytes], `action` int32 [n], `reward`
    float32 [n], `terminal` bool [n]. Frames from before the episode began are zeros.
    """

    observation: jax.Array
    action: jax.Array
    reward: jax.Array
    terminal: jax.Array
    next_observation: jax.Array


def empty(rows: int, games: int, frame_bytes: int) -> Replay:
    """A memory without rows."""
    shape = (rows, games)
    return Replay(
        jnp.zeros((*shape, frame_bytes), jnp.uint8),
        jnp.zeros(shape, bool),
        jnp.zeros(shape, jnp.int32),
        jnp.zeros(shape, jnp.float32),
        jnp.zeros(shape, bool),
        jnp.int32(0),
    )


def bytes_needed(rows: int, games: int, frame_bytes: int) -> int:
    """Of memory, for a `Replay` of that size."""
    return rows * games * (frame_bytes + 1 + 4 + 4 + 1)


def add(memory: Replay, frames, first, action, reward, terminal) -> Replay:
    """Writes the next row, over the oldest when the ring is full."""
    at = memory.added % len(memory.frames)

    def write(ring, row):
        return jax.lax.dynamic_update_index_in_dim(ring, row.astype(ring.dtype), at, 0)

    return Replay(
        write(memory.frames, frames),
        write(memory.first, first),
        write(memory.action, action),
        write(memory.reward, reward),
        write(memory.terminal, terminal),
        memory.added + 1,
    )


def transitions(memory: Replay, history: int) -> tuple[jax.Array, jax.Array]:
    """`(oldest, count)`: the times whose transition is whole are `oldest ... oldest + count - 1`.

    The newest row has no next frame yet; the oldest ones of a full ring have lost a part of their history.
    """
    rows = len(memory.frames)
    oldest = jnp.where(memory.added > rows, memory.added - rows + history - 1, 0)
    return oldest, memory.added - 1 - oldest


def sample(memory: Replay, key: jax.Array, n: int, history: int) -> Batch:
    """n transitions, uniform over all that are whole."""
    oldest, count = transitions(memory, history)
    when, which = jax.random.bits(key, (2, n))
    time = oldest + (when % count.astype(jnp.uint32)).astype(jnp.int32)
    game = (which % memory.first.shape[1]).astype(jnp.int32)
    return at(memory, time, game, history)


def newest(memory: Replay, n: int, history: int) -> Batch:
    """The last n transitions of game 0, without replay's shuffling."""
    time = memory.added - 1 - n + jnp.arange(n)
    return at(memory, time, jnp.zeros(n, jnp.int32), history)


def at(memory: Replay, time: jax.Array, game: jax.Array, history: int) -> Batch:
    """The transitions at `time` int32 [n] (rows counted from the first ever added) of `game` [n]."""
    chex.assert_rank([time, game], 1)
    rows = len(memory.frames)
    # History, the frame itself and the next one: [n, history + 1], oldest first.
    spread = (time[:, None] + jnp.arange(1 - history, 2)[None]) % rows

    def read(ring, times, games):
        return ring.at[times, games].get(mode="promise_in_bounds")

    frames = read(memory.frames, spread, game[:, None])
    first = read(memory.first, spread, game[:, None])
    row = time % rows
    return Batch(
        of_one_episode(frames[:, :-1], first[:, :-1]),
        read(memory.action, row, game),
        read(memory.reward, row, game),
        read(memory.terminal, row, game),
        of_one_episode(frames[:, 1:], first[:, 1:]),
    )


def of_one_episode(frames: jax.Array, first: jax.Array) -> jax.Array:
    """`frames` `[n, history, bytes]` with zeros for those before the episode of the last one began.

    `first` `[n, history]` marks frames that begin an episode.
    """
    later = jnp.cumsum(first[:, ::-1], axis=1)[:, ::-1] - first  # beginnings after each frame
    return jnp.where((later > 0)[..., None], 0, frames)
