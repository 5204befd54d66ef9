"""Atari 2600 games as DQN sees them, on the host: emulators, frame skip, grey pictures of 84x84."""

import functools
import importlib.util
from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError
from lib.envs.names import check_name

SIDE = 84
"""Rows and columns of the picture that the network gets."""


def check(name: str) -> None:
    """Raises UserError (code 2) unless the emulator is installed and has the game `name`."""
    if any(importlib.util.find_spec(package) is None for package in ("ale_py", "gymnasium")):
        raise UserError("Atari games need an extra: pip install -e '.[atari]'", 2)
    if name not in _names():
        check_name(f"ALE/{name.removeprefix('ALE/')}")
        raise UserError(f"the emulator that is installed has no {name}", 2)


def _names() -> list[str]:
    import ale_py
    import gymnasium

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    gymnasium.register_envs(ale_py)
    return [name for name in gymnasium.registry if name.startswith("ALE/") and name[-3:] == "-v5"]


def luminance(rgb: np.ndarray) -> np.ndarray:
    """The brightness Y of `rgb` `[..., 3]` uint8, as float32 `[...]` in 0..255 (ITU-R BT.601)."""
    red, green, blue = np.array([0.299, 0.587, 0.114], np.float32)
    y = red * rgb[..., 0]
    y += green * rgb[..., 1]
    y += blue * rgb[..., 2]
    return y


def shrink(picture: np.ndarray, shape: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """Averages `picture` `[h, w]` over the areas of `shape` equal cells, float32.

    Torch's `image.scale(..., 'bilinear')`, which the code released with Mnih et al. (2015) calls,
    averages areas when it shrinks. Raises ValueError if a side were to grow.
    """
    # Rows, then columns. Not by BLAS: its threads wait for each other and for whoever else computes
    # here, 40 ms at times for a product that takes 0.05.
    for size in shape:
        taps, shares = _areas(picture.shape[0], size)
        picture = sum(s * picture[t] for t, s in zip(taps, shares, strict=True)).T
    return picture


@functools.cache
def _areas(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels each cell meets, `[k, size]`, and their shares of it, float32 `[k, size, 1]`."""
    if size > length:
        raise ValueError(f"{length} pixels cannot shrink to {size}")
    # In units of 1 / size of a pixel every border is a whole number.
    cell = np.arange(size) * length
    most = np.max((cell + length - 1) // size - cell // size) + 1
    taps = np.minimum(cell // size, length - most) + np.arange(most)[:, None]
    common = np.minimum(cell + length, (taps + 1) * size) - np.maximum(cell, taps * size)
    return taps, (np.maximum(common, 0) / length).astype(np.float32)[..., None]


def preprocess(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Two screens in a row, uint8 `[h, w, 3]` -> uint8 `[84, 84]` (Mnih et al., 2015, Methods).

    The larger value of each colour, since some games draw objects in every other frame only; then
    the luminance, shrunk and rounded.
    """
    grey = luminance(np.maximum(previous, current))
    return np.rint(shrink(grey)).astype(np.uint8)


def preprocess_2013(current: np.ndarray) -> np.ndarray:
    """One screen, uint8 `[h, w, 3]` -> uint8 `[84, 84]` (Mnih et al., 2013, section 4.1).

    Grey, shrunk to 110 rows and 84 columns, of which 84 rows "roughly" hold the playing area. The
    paper doesn't say which: ours start at row 18, so the score above is left out.
    """
    return np.rint(shrink(luminance(current), (110, SIDE))[18 : 18 + SIDE]).astype(np.uint8)


class Step(NamedTuple):
    """What one action of the agent led to."""

    frame: np.ndarray
    """uint8 `[84, 84]`."""
    reward: float
    """What the score rose by over the skipped frames, not clipped."""
    terminal: bool
    """Nothing after this counts: the game is over, or a life was lost and `life_loss` is set."""
    over: bool
    """`reset` must follow: the game is over, or it was cut after `max_frames`."""


class Atari:
    """One game, as in Mnih et al. (2015), Methods and Extended Data Table 1.

    Each action is held for `frame_skip` frames of the emulator (60 a second); fewer if the episode
    ends before. After a life's loss with `life_loss` the step is `terminal` and the game goes on
    with the next `step`. `max_frames`, the no-ops included, cut a game (5 minutes; None: never).
    `repeat_action` is the probability that the emulator repeats the last action instead ("sticky
    actions"). `preprocessing` is "2015" or "2013". The same `seed` gives the same games.

    Raises UserError (code 2) for what `check` refuses.
    """

    def __init__(
        self,
        name: str,
        *,
        seed: int,
        frame_skip: int = 4,
        no_op_max: int = 30,
        life_loss: bool = True,
        max_frames: int | None = 18_000,
        repeat_action: float = 0.0,
        preprocessing: str = "2015",
    ):
        check(name)
        if preprocessing not in ("2013", "2015"):
            raise ValueError(f'preprocessing is "2013" or "2015", not {preprocessing!r}')
        if frame_skip < 1 or no_op_max < 0 or (max_frames is not None and max_frames <= no_op_max):
            raise ValueError(f"{frame_skip=}, {no_op_max=} and {max_frames=} leave nothing to play")
        import gymnasium

        self._env = gymnasium.make(
            name,
            frameskip=1,
            repeat_action_probability=repeat_action,
            full_action_space=False,
            max_num_frames_per_episode=0,  # no limit: `max_frames` is counted here
            disable_env_checker=True,
        )
        self._env.reset(seed=int(seed))
        self.meanings = self._env.unwrapped.get_action_meanings()
        self.actions = len(self.meanings)
        # Gymnasium's `step` would copy the screen after every frame, wanted or not.
        self._ale = self._env.unwrapped.ale
        self._codes = self._ale.getMinimalActionSet()
        self._rng = np.random.default_rng(seed)
        self._frame_skip, self._no_op_max, self._max_frames = frame_skip, no_op_max, max_frames
        self._life_loss, self._two = life_loss, preprocessing == "2015"
        self._screens = np.zeros((2, *self._ale.getScreenDims(), 3), np.uint8)

    def reset(self) -> np.ndarray:
        """Starts a game and lets 1 to `no_op_max` frames pass (0 if that is 0): uint8 `[84, 84]`."""
        self.no_ops = int(self._rng.integers(1, self._no_op_max + 1)) if self._no_op_max else 0
        self._ale.reset_game()
        self._ale.getScreenRGB(self._screens[0])
        self._screens[1] = self._screens[0]
        self._frames = 0
        for _ in range(self.no_ops):
            self._act(0)
            if self._ale.game_over():
                self._ale.reset_game()
        self._lives = self._ale.lives()
        return self._frame()

    def step(self, action: int) -> Step:
        """Holds the action with index `action` of `meanings`."""
        reward, terminal, over = 0.0, False, False
        for _ in range(self._frame_skip):
            reward += self._act(action)
            lives = self._ale.lives()
            terminal = over = self._ale.game_over()
            if self._life_loss and lives < self._lives:
                terminal = True
            self._lives = lives
            if self._frames == self._max_frames:
                over = True
            if terminal or over:
                break
        return Step(self._frame(), reward, terminal, over)

    def screen(self) -> np.ndarray:
        """The picture a player would see, uint8 `[210, 160, 3]` (some European games: 250 rows)."""
        return self._screens[self._frames % 2].copy()

    def close(self) -> None:
        """Frees the emulator."""
        self._env.close()

    def _act(self, action: int) -> float:
        reward = self._ale.act(self._codes[action])
        self._frames += 1
        # All are read, not the last two only: any of them may turn out to be an episode's last.
        self._ale.getScreenRGB(self._screens[self._frames % 2])
        return reward

    def _frame(self) -> np.ndarray:
        current = self._frames % 2
        if self._two:
            return preprocess(self._screens[1 - current], self._screens[current])
        return preprocess_2013(self._screens[current])


class Games:
    """`envs` games of `name` side by side; those that are over start again by themselves.

    `frames`, uint8 `[envs, 84, 84]`, are what the next actions answer to. `first`, bool `[envs]`,
    says which of them begin an episode, so that nothing before them belongs to their history: those
    after a reset, and those after the loss of a life if that ends an episode. Both are new arrays
    after each step. `settings` are those of `Atari`; game `e` doesn't depend on `envs`.
    """

    def __init__(self, name: str, envs: int, seed: int, **settings):
        seeds = np.random.SeedSequence(seed).generate_state(envs)
        self.games = [Atari(name, seed=int(s), **settings) for s in seeds]
        self.actions, self.meanings = self.games[0].actions, self.games[0].meanings
        self.frames = np.stack([game.reset() for game in self.games])
        self.first = np.ones(envs, bool)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`actions` `[envs]` -> reward float32, not clipped, terminal bool and over bool, `[envs]`.

        A game cut by `max_frames` is over without being terminal.
        """
        # One after the other: the emulator frees the interpreter while it computes a frame, but
        # 4 games in threads took 1.5 ms and 1.4 in a loop; the threads wait for the interpreter.
        steps = [_play(g, a) for g, a in zip(self.games, actions.tolist(), strict=True)]
        frames, reward, terminal, over = zip(*steps, strict=True)
        self.frames = np.stack(frames)
        terminal, over = np.array(terminal), np.array(over)
        self.first = terminal | over
        return np.array(reward, np.float32), terminal, over

    def close(self) -> None:
        """Frees the emulators."""
        for game in self.games:
            game.close()


def _play(game: Atari, action: int) -> Step:
    step = game.step(action)
    return step._replace(frame=game.reset()) if step.over else step
