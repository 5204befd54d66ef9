import jax
import numpy as np
import pytest
import scipy.stats

from lib.envs.replay import Batch, add, at, bytes_needed, empty, newest, sample, transitions

ROWS, GAMES, TIMES = 11, 3, 40
"""The ring goes round three times and a half."""
ADD = jax.jit(add)
AT = jax.jit(at, static_argnums=3)
NEWEST = jax.jit(newest, static_argnums=(1, 2))


def frame(time, game):
    """Two bytes that no other frame has, and that are not zero."""
    number = 1 + time * GAMES + game
    return np.array([1 + number // 16, 1 + number % 16], np.uint8)


def experience(seed=0):
    """Random episodes, many of a single step: `first`, `action`, `reward`, `terminal` `[TIMES, GAMES]`."""
    rng = np.random.default_rng(seed)
    shape = (TIMES, GAMES)
    terminal = rng.random(shape) < [0.1, 0.3, 0.6]
    first = np.concatenate([np.ones((1, GAMES), bool), terminal[:-1]])
    return first, rng.integers(5, size=shape), rng.normal(size=shape).astype(np.float32), terminal


def oracle(history, seed=0):
    """Every transition by (time, game), from episodes that are kept whole in lists."""
    first, action, reward, terminal = experience(seed)
    known = {}

    def seen(episode):
        padded = [np.zeros(2, np.uint8)] * history + episode
        return np.stack(padded[-history:])

    for game in range(GAMES):
        episode = []
        for time in range(TIMES - 1):
            episode = [*([] if first[time, game] else episode), frame(time, game)]
            after = [frame(time + 1, game)]
            then = seen(after if terminal[time, game] else episode + after)
            row = (time, game)
            known[row] = Batch(seen(episode), action[row], reward[row], terminal[row], then)
    return known


def filled(times, seed=0):
    """Memories after 1, 2, ... `times` rows."""
    first, action, reward, terminal = experience(seed)
    memory = jax.tree.map(np.asarray, empty(ROWS, GAMES, 2))
    for t in range(times):
        frames = np.stack([frame(t, g) for g in range(GAMES)])
        memory = ADD(memory, frames, first[t], action[t], reward[t], terminal[t])
        yield memory


def whole(added, history):
    """The times at which a transition and its history are in a ring of ROWS rows."""
    lost = max(0, added - ROWS)
    return [t for t in range(lost, added - 1) if lost == 0 or t - (history - 1) >= lost]


def drawn(batch):
    """`(time, game)` of each transition, from the bytes of the frame it was taken at."""
    high, low = np.asarray(batch.observation)[:, -1].astype(int).T
    return list(zip(*np.divmod(16 * (high - 1) + low - 2, GAMES), strict=True))


def same(batch, wanted):
    wanted = Batch(*(np.stack(values) for values in zip(*wanted, strict=True)))
    jax.tree.map(np.testing.assert_array_equal, batch, wanted)


@pytest.mark.parametrize("history", [1, 2, 4])
def test_at_every_fill_every_whole_transition_is_drawn_and_is_the_oracles(history):
    known = oracle(history)
    draw = jax.jit(lambda memory, key: sample(memory, key, 600, history))
    for added, memory in enumerate(filled(TIMES), 1):
        if added < 2:
            continue
        times = whole(added, history)
        assert transitions(memory, history) == (times[0], len(times))
        batch = draw(memory, jax.random.key(added))
        found = drawn(batch)
        assert set(found) == {(t, g) for t in times for g in range(GAMES)}
        same(batch, [known[row] for row in found])


def test_a_terminal_transition_is_kept_and_what_follows_it_begins_with_zeros():
    _, _, _, terminal = experience()
    *_, memory = filled(TIMES)
    time, game = next((t, g) for t, g in np.argwhere(terminal) if t in whole(TIMES, 4))
    batch = jax.tree.map(np.asarray, AT(memory, np.array([time]), np.array([game]), 4))
    assert batch.terminal[0]
    np.testing.assert_array_equal(batch.next_observation[0, :3], 0)
    np.testing.assert_array_equal(batch.next_observation[0, 3], frame(time + 1, game))


def test_draws_are_uniform_over_all_whole_transitions():
    *_, memory = filled(TIMES)
    batch = jax.jit(lambda key: sample(memory, key, 20_000, 3))(jax.random.key(0))
    _, counts = np.unique(drawn(batch), axis=0, return_counts=True)
    assert len(counts) == GAMES * len(whole(TIMES, 3))
    assert scipy.stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("added", [6, ROWS, 17, TIMES])
def test_the_newest_are_the_last_of_game_0_in_order(added):
    known = oracle(3)
    *_, memory = filled(added)
    same(NEWEST(memory, 5, 3), [known[t, 0] for t in range(added - 6, added - 1)])


def test_jit_changes_nothing():
    *_, memory = filled(17)
    row = (np.ones((GAMES, 2), np.uint8), *(np.ones(GAMES, np.float32),) * 4)
    plain, added = sample(memory, jax.random.key(0), 50, 3), add(memory, *row)
    jitted = jax.jit(lambda memory: sample(memory, jax.random.key(0), 50, 3))(memory)
    jax.tree.map(np.testing.assert_array_equal, plain, jitted)
    jax.tree.map(np.testing.assert_array_equal, added, ADD(memory, *row))


def test_the_bytes_needed_are_those_of_the_arrays():
    memory = empty(ROWS, GAMES, 2)
    found = sum(x.nbytes for x in jax.tree.leaves(memory)) - memory.added.nbytes
    assert bytes_needed(ROWS, GAMES, 2) == found
