"""The replay memory on the host against episodes kept whole, in lists."""

import errno
import os

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.envs import frame_memory
from lib.envs.frame_memory import FrameMemory, bytes_needed, check_memory

SHAPE = (2, 2)


class Lists:
    """What a memory should hold: per game a list of all rows since ever; nothing is a ring."""

    def __init__(self, rows, envs, history):
        self.rows, self.envs, self.history = rows, envs, history
        self.games = [[] for _ in range(envs)]

    def add(self, frames, first, action, reward, terminal):
        for game, *row in zip(self.games, frames, first, action, reward, terminal, strict=True):
            game.append(row)

    def observation(self, game, t):
        start = max(s for s in range(t + 1) if game[s][1])
        frames = [game[s][0] if s >= start else np.zeros(SHAPE) for s in self._window(t)]
        return np.stack(frames, axis=-1)

    def _window(self, t):
        return range(t - self.history + 1, t + 1)

    def valid(self, game):
        """All transitions of `game` that may be drawn: {time: (observation, ..., next or None)}."""
        added = len(game)
        found = {}
        for t in range(added - 1):
            # The row that will be replaced next is lost already.
            if added >= self.rows and self._window(t)[0] <= added - self.rows:
                continue
            _, _, action, reward, terminal = game[t]
            if game[t + 1][1] and not terminal:
                continue
            after = None if terminal else self.observation(game, t + 1)
            found[t] = (self.observation(game, t), action, reward, terminal, after)
        return found


class Player:
    """Random episodes of random lengths; a third of them are cut. Every frame is another number."""

    def __init__(self, envs, seed=0, mean_length=6):
        self.envs, self.rng, self.end = envs, np.random.default_rng(seed), 1 / mean_length
        self.first, self.number = np.ones(envs, bool), 0

    def row(self):
        numbers = self.number + np.arange(1, self.envs + 1)
        self.number += self.envs
        # Four digits of base 255, each from 1: no frame looks like the zeros before a start.
        frames = (numbers[:, None] // 255 ** np.arange(4)) % 255 + 1
        ends = self.rng.random(self.envs) < self.end
        terminal = ends & (self.rng.random(self.envs) < 2 / 3)
        row = (
            frames.reshape(self.envs, *SHAPE).astype(np.uint8),
            self.first,
            self.rng.integers(18, size=self.envs, dtype=np.int32),
            self.rng.normal(size=self.envs).astype(np.float32),
            terminal,
        )
        self.first = ends
        return row


def key(observation):
    return np.asarray(observation, np.uint8).tobytes()


def expected(lists):
    return {key(found[0]): found for game in lists.games for found in lists.valid(game).values()}


def same(batch, i, wanted):
    observation, action, reward, terminal, after = wanted
    np.testing.assert_array_equal(batch.observation[i], observation)
    assert batch.action[i] == action and batch.reward[i] == reward
    assert batch.terminal[i] == terminal
    if after is not None:
        np.testing.assert_array_equal(batch.next_observation[i], after)


def held(memory, lists, rng):
    """Draws until every valid transition has been seen (or it is clear that one never will be)."""
    wanted = expected(lists)
    batch = memory.sample(rng, 40 * len(wanted))
    drawn = {}
    for i, observation in enumerate(batch.observation):
        drawn.setdefault(key(observation), i)
    assert drawn.keys() == wanted.keys()
    for name, i in drawn.items():
        same(batch, i, wanted[name])


@pytest.mark.parametrize("envs, history", [(1, 1), (1, 4), (3, 4), (2, 2)])
def test_what_is_drawn_is_what_the_episodes_held(envs, history):
    rows = 17
    memory, lists = FrameMemory(rows, envs, history, SHAPE), Lists(rows, envs, history)
    player, rng = Player(envs, seed=envs + history), np.random.default_rng(1)
    assert (len(memory), memory.added) == (0, 0)
    for added in range(1, 4 * rows):
        row = player.row()
        memory.add(*row)
        lists.add(*row)
        assert (len(memory), memory.added) == (min(added, rows), added)
        if added in (5, rows - 1, rows, rows + 1, rows + 5) or added % rows == 3:
            held(memory, lists, rng)


def test_types_shapes_and_the_same_numbers_for_the_same_generator():
    memory, player = FrameMemory(9, 2, 4, SHAPE), Player(2)
    for _ in range(12):
        memory.add(*player.row())
    batch, again = (memory.sample(np.random.default_rng(3), 7) for _ in range(2))
    for found, same_ in zip(batch, again, strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, same_)
    assert [x.dtype for x in batch] == [np.uint8, np.int32, np.float32, bool, np.uint8]
    assert [x.shape for x in batch] == [(7, 2, 2, 4), (7,), (7,), (7,), (7, 2, 2, 4)]
    # A batch is a copy: what is added later doesn't change it.
    for _ in range(9):
        memory.add(*player.row())
    np.testing.assert_array_equal(batch.observation, again.observation)


def test_draws_are_uniform_though_some_are_rejected():
    memory, lists, player = FrameMemory(20, 2, 2, SHAPE), Lists(20, 2, 2), Player(2, 5, 3)
    for _ in range(30):
        row = player.row()
        memory.add(*row)
        lists.add(*row)
    wanted, n = expected(lists), 20_000
    counts = dict.fromkeys(wanted, 0)
    for observation in memory.sample(np.random.default_rng(0), n).observation:
        counts[key(observation)] += 1
    assert len(wanted) < 2 * 17  # some were cut
    chi2 = sum((c - n / len(wanted)) ** 2 for c in counts.values()) / (n / len(wanted))
    freedom = len(wanted) - 1
    assert abs(chi2 - freedom) < 4 * (2 * freedom) ** 0.5


def test_an_episode_written_out_by_hand():
    memory = FrameMemory(10, 1, 3, SHAPE)
    # Frames 1 2 3 | 4 5 (cut) | 6 7: the third is terminal, the fifth isn't.
    for number, first, terminal in zip(range(1, 8), (1, 0, 0, 1, 0, 1, 0), (0, 0, 1, 0, 0, 0, 0)):
        frames = np.full((1, *SHAPE), number, np.uint8)
        memory.add(frames, [bool(first)], [number], [-number], [bool(terminal)])
    batch = memory.newest(5)
    histories = [[0, 0, 1], [0, 1, 2], [1, 2, 3], [0, 0, 4], [0, 0, 6]]
    assert batch.observation[:, 0, 1].tolist() == histories
    assert batch.next_observation[[0, 1, 3, 4], 1, 0].tolist() == [
        [0, 1, 2], [1, 2, 3], [0, 4, 5], [0, 6, 7],
    ]  # fmt: skip
    assert batch.action.tolist() == [1, 2, 3, 4, 6]
    assert batch.reward.tolist() == [-1, -2, -3, -4, -6]
    assert batch.terminal.tolist() == [False, False, True, False, False]


def test_the_newest_are_the_last_of_the_first_game_in_order():
    memory, lists, player = FrameMemory(20, 3, 4, SHAPE), Lists(20, 3, 4), Player(3, 2, 3)
    for added in range(1, 50):
        row = player.row()
        memory.add(*row)
        lists.add(*row)
        wanted = list(lists.valid(lists.games[0]).values())
        for n in {1, 3, len(wanted)} & set(range(1, len(wanted) + 1)):
            batch = memory.newest(n)
            assert len(batch.action) == n
            for i, transition in enumerate(wanted[-n:]):
                same(batch, i, transition)
        with pytest.raises(ValueError, match="valid transition"):
            memory.newest(len(wanted) + 1)


def test_without_a_valid_transition_it_says_so():
    memory, rng = FrameMemory(6, 2, 4, SHAPE), np.random.default_rng(0)
    frames, no = np.ones((2, *SHAPE), np.uint8), np.zeros(2, bool)
    for _ in range(20):  # no rows; one; then rows that all begin episodes, as if each was cut
        for draw in (lambda: memory.sample(rng, 3), lambda: memory.newest(1)):
            with pytest.raises(ValueError, match="valid transition"):
                draw()
        memory.add(frames, ~no, no, no, no)
    with pytest.raises(ValueError, match="5 rows hold no transition with a history of 4"):
        FrameMemory(5, 2, 4)


def test_rows_of_another_form_are_refused_and_not_written():
    memory = FrameMemory(6, 2, 4, SHAPE)
    frames, no = np.ones((2, *SHAPE), np.uint8), np.zeros(2)
    with pytest.raises(ValueError, match=r"frames: \(2, 2\), not \(2, 2, 2\)"):
        memory.add(frames[0], no, no, no, no)
    with pytest.raises(ValueError, match="reward"):
        memory.add(frames, no, no, 1.0, no)
    with pytest.raises(ValueError, match="float64, not uint8"):
        memory.add(frames / 2, no, no, no, no)
    assert memory.added == 0


def test_beginning_anew_cuts_what_was_being_played():
    memory, lists = FrameMemory(30, 2, 4, SHAPE), Lists(30, 2, 4)
    player = Player(2, mean_length=1e9)
    for added in range(20):
        frames, first, *rest = player.row()
        if added == 11:
            memory.begin_anew()
        memory.add(frames, first, *rest)
        lists.add(frames, first | (added == 11), *rest)
    held(memory, lists, np.random.default_rng(0))
    for game in lists.games:
        assert lists.valid(game).keys() == set(range(19)) - {10}


@pytest.mark.parametrize("before", [3, 17, 40])
def test_a_folder_goes_on_where_it_ended(tmp_path, before):
    folder, rng = tmp_path / "run" / "memory", np.random.default_rng(0)
    lists, player = Lists(17, 2, 4), Player(2)
    memory = FrameMemory(17, 2, 4, SHAPE, folder)
    for _ in range(before):
        row = player.row()
        memory.add(*row)
        lists.add(*row)
    drawn = memory.sample(np.random.default_rng(9), 50)
    # Neither flushed nor closed, as if killed; what the next row replaces is half written.
    frames = np.lib.format.open_memmap(folder / "frames.npy", "r+")
    frames[before % 17] = 77
    memory = FrameMemory(17, 2, 4, SHAPE, folder)
    assert (memory.added, len(memory)) == (before, min(before, 17))
    for found, wanted in zip(memory.sample(np.random.default_rng(9), 50), drawn, strict=True):
        np.testing.assert_array_equal(found, wanted)
    held(memory, lists, rng)
    for added in range(25):  # the emulators start over, and the memory knows without being told
        frames, first, *rest = player.row()
        memory.add(frames, first, *rest)
        lists.add(frames, first | (added == 0), *rest)
        held(memory, lists, rng)
    memory.flush()
    memory.close()
    assert FrameMemory(17, 2, 4, SHAPE, folder).added == before + 25
    assert sorted(p.name for p in folder.parent.iterdir()) == ["memory"]
    size = sum(p.stat().st_size for p in folder.iterdir())
    assert 0 < size - bytes_needed(17, 2, SHAPE) < 1000  # a header in each of six files


def damage_remove(path):
    path.unlink()


def damage_truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def damage_empty(path):
    path.write_bytes(b"")


def damage_scribble(path):
    path.write_bytes(b"?" * path.stat().st_size)


@pytest.mark.parametrize("name", ["added", "frames", "first", "action", "reward", "terminal"])
@pytest.mark.parametrize("damage", [damage_remove, damage_truncate, damage_empty, damage_scribble])
def test_a_damaged_folder_is_named_in_one_line(tmp_path, name, damage):
    FrameMemory(9, 2, 4, SHAPE, tmp_path / "memory").close()
    damage(tmp_path / "memory" / f"{name}.npy")
    with pytest.raises(UserError) as caught:
        FrameMemory(9, 2, 4, SHAPE, tmp_path / "memory")
    assert str(tmp_path / "memory") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("rows, envs, shape", [(10, 2, SHAPE), (6, 3, SHAPE), (9, 2, (1, 4))])
def test_a_folder_of_another_size_is_refused(tmp_path, rows, envs, shape):
    memory = FrameMemory(9, 2, 4, SHAPE, tmp_path)  # an empty folder is as good as none
    memory.add(*Player(2).row())
    with pytest.raises(UserError, match="another size") as caught:
        FrameMemory(rows, envs, 4, shape, tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert FrameMemory(9, 2, 4, SHAPE, tmp_path).added == 1


def test_a_full_disk_is_an_error_at_the_start_and_leaves_nothing(tmp_path, monkeypatch):
    def full(file, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full, raising=False)
        with pytest.raises(UserError, match="No space left on device") as caught:
            FrameMemory(9, 2, 4, SHAPE, tmp_path / "memory")
    assert str(tmp_path / "memory") in str(caught.value) and caught.value.code == 2
    assert list(tmp_path.iterdir()) == []
    # A creation that was killed is no obstacle.
    (tmp_path / ".memory.part").mkdir()
    (tmp_path / ".memory.part" / "frames.npy").write_bytes(b"half")
    assert FrameMemory(9, 2, 4, SHAPE, tmp_path / "memory").added == 0
    assert [p.name for p in tmp_path.iterdir()] == ["memory"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot allocate ahead")
def test_the_disk_is_allocated_ahead(tmp_path):
    FrameMemory(200, 1, 4, (84, 84), tmp_path)
    assert (tmp_path / "frames.npy").stat().st_blocks * 512 >= 200 * 84 * 84


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "memory").write_text("mine")
    with pytest.raises(UserError, match="memory"):
        FrameMemory(9, 2, 4, SHAPE, tmp_path / "memory")
    assert (tmp_path / "memory").read_text() == "mine"


def test_a_million_frames_need_6_6_gib_and_are_refused_before_they_are_allocated(monkeypatch):
    memory = FrameMemory(7, 3, 2, SHAPE)
    assert bytes_needed(7, 3, SHAPE) == 7 * 3 * (4 + 1 + 4 + 4 + 1)
    rings = [memory._rings[name] for name in ("frames", "first", "action", "reward", "terminal")]
    assert bytes_needed(7, 3, SHAPE) == sum(ring.nbytes for ring in rings)
    needed = bytes_needed(1_000_000, 1)
    monkeypatch.setattr(frame_memory, "free_memory", lambda: int(3.1 * 2**30))
    with pytest.raises(UserError) as caught:
        check_memory(needed, 1_000_000)
    assert caught.value.code == 2
    assert str(caught.value) == (
        "the replay memory needs 6.6 GiB (1000000 frames), this machine has 3.1 GiB free: "
        "use a smaller --replay"
    )
    check_memory(3 * 2**30, 400_000)


def test_where_the_system_does_not_tell_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(frame_memory, "free_memory", lambda: None)
    check_memory(2**60, 1)
