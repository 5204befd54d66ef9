"""Gymnasium's own preprocessing beside ours, OpenCV's averages, and games played to their ends."""

import importlib.util

import numpy as np
import pytest

from lib.base.errors import UserError
from lib.envs.atari import Atari, Games, check, luminance, preprocess, preprocess_2013, shrink
from lib.envs.names import check_name

RNG = np.random.default_rng(0)


@pytest.fixture
def ale():
    pytest.importorskip("ale_py", reason="the emulator is an extra: pip install -e '.[atari]'")
    pytest.importorskip("gymnasium", reason="Gymnasium is an extra: pip install -e '.[atari]'")


def their_game(name, **settings):
    """The game behind Gymnasium's preprocessing, without no-ops and sticky actions."""
    pytest.importorskip("cv2", reason="Gymnasium shrinks with OpenCV")
    import gymnasium
    from gymnasium.wrappers import AtariPreprocessing

    check(name)
    env = gymnasium.make(name, frameskip=1, repeat_action_probability=0.0, full_action_space=False)
    return AtariPreprocessing(env, noop_max=0, frame_skip=4, screen_size=84, **settings)


def played_by_both(name, steps, life_loss=True, **settings):
    """Our frames and theirs, int `[t, ...]`, of the same random actions; all else must be equal.

    Of a terminal step Gymnasium returns an earlier picture, since it stops before it looks again.
    """
    env = their_game(name, terminal_on_life_loss=life_loss, **settings)
    game = Atari(name, seed=3, no_op_max=0, life_loss=life_loss, max_frames=None)
    theirs, ours = [env.reset(seed=3)[0]], [game.reset()]
    actions = np.random.default_rng(1).integers(game.actions, size=steps)
    ends = rewards = 0
    for action in actions:
        frame, reward, terminal, *_ = env.step(action)
        step = game.step(action)
        assert (step.reward, step.terminal) == (reward, terminal)
        assert step.over == env.ale.game_over()
        ends, rewards = ends + terminal, rewards + (reward != 0)
        if not terminal:
            theirs, ours = [*theirs, frame], [*ours, step.frame]
        elif step.over:
            theirs, ours = [*theirs, env.reset()[0]], [*ours, game.reset()]
    env.close()
    game.close()
    assert rewards > 0
    return np.array(ours).astype(int), np.array(theirs).astype(int), ends


@pytest.mark.parametrize(
    "name, within, ends",
    [("Pong", 0.997, 0), ("Breakout", 0.9999, 3), ("SpaceInvaders", 0.9999, 1)],
)
def test_a_game_is_gymnasiums_frame_by_frame(ale, name, within, ends):
    # They keep the brighter of two greys, we the larger of each colour, which is brighter where two
    # colours meet that don't dominate one another: in Pong where a green or orange paddle passes
    # over the brown field, 0.2 % of the pixels.
    ours, theirs, ended = played_by_both(f"ALE/{name}-v5", 300)
    apart = ours - theirs
    assert ended >= ends and len(apart) > 250
    assert np.mean(abs(apart) <= 2) >= within
    assert apart.min() >= -1


@pytest.mark.parametrize("name", ["Pong", "Asteroids"])
def test_their_maximum_of_colours_gives_our_frames(ale, name):
    ours, theirs, _ = played_by_both(f"ALE/{name}-v5", 200, grayscale_obs=False)
    # They round each colour, we the luminance: half a level each.
    assert abs(ours - theirs @ [0.299, 0.587, 0.114]).max() <= 1.001


def test_without_life_loss_only_the_games_end_is_terminal(ale):
    _, _, ends = played_by_both("ALE/Breakout-v5", 250, life_loss=False)
    assert ends == 1


@pytest.mark.parametrize("shape", [(84, 84), (110, 84), (105, 80), (210, 160), (1, 1)])
def test_shrink_is_opencvs_area_average(shape):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is what is compared with")
    picture = RNG.uniform(0, 255, (210, 160)).astype(np.float32)
    found = shrink(picture, shape)
    assert found.shape == shape and found.dtype == np.float32
    theirs = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(found, theirs, atol=2e-3)
    assert abs(found.mean() - picture.mean()) < 1e-3


def test_shrink_by_hand():
    # Cells of 1.5 pixels: the one in the middle is halved.
    np.testing.assert_allclose(shrink(np.array([[3.0, 9.0, 6.0]]), (1, 2)), [[5, 7]], rtol=1e-6)
    np.testing.assert_allclose(shrink(np.array([[1.0], [3], [5], [7]]), (2, 1)), [[2], [6]])
    with pytest.raises(ValueError, match="cannot shrink"):
        shrink(np.zeros((80, 160)))


def test_luminance_by_hand():
    colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]]
    found = luminance(np.array(colours, np.uint8))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [76.245, 149.685, 29.07, 255, 18.15], rtol=1e-6)


def test_what_flickers_is_always_seen():
    screens = np.zeros((2, 210, 160, 3), np.uint8)
    screens[0, 100:110, 40:48] = 200, 100, 50
    for previous, current in (screens, screens[::-1]):
        frame = preprocess(previous, current)
        assert frame.shape == (84, 84) and frame.dtype == np.uint8
        # Rows 100 to 110 are cells 40 to 44; columns 40 to 48 cells 21 to 25.2.
        assert (frame[40:44, 21:25] == round(200 * 0.299 + 100 * 0.587 + 50 * 0.114)).all()
        assert np.count_nonzero(frame) == 4 * 5
    assert preprocess(screens[1], screens[1]).max() == 0
    assert preprocess_2013(screens[0]).max() > 0 == preprocess_2013(screens[1]).max()


def test_2013_crops_the_playing_area():
    screen = np.zeros((210, 160, 3), np.uint8)
    screen[34:194] = 255  # Pong's field, between its white walls
    screen[:17] = 99  # its score
    frame = preprocess_2013(screen)
    assert frame.shape == (84, 84) and frame.dtype == np.uint8
    whole = np.rint(shrink(luminance(screen), (110, 84)))
    np.testing.assert_array_equal(frame, whole[18:102])
    assert (frame[:83] == 255).all() and 99 not in frame


def test_2013_looks_at_the_last_screen_only(ale):
    game = Atari("ALE/Pong-v5", seed=0, preprocessing="2013")
    game.reset()
    for action in range(6):
        step = game.step(action)
        np.testing.assert_array_equal(step.frame, preprocess_2013(game.screen()))
    assert game.screen().shape == (210, 160, 3)
    with pytest.raises(ValueError, match="2013"):
        Atari("ALE/Pong-v5", seed=0, preprocessing="2014")


def test_frames_are_made_of_the_last_two_screens_at_every_skip(ale):
    for skip in (1, 3):
        game = Atari("ALE/SpaceInvaders-v5", seed=0, frame_skip=skip, no_op_max=0)
        single = Atari("ALE/SpaceInvaders-v5", seed=0, frame_skip=1, no_op_max=0)
        game.reset(), single.reset()
        screens = [single.screen()]
        for action in RNG.integers(game.actions, size=30):
            frame = game.step(action).frame
            for _ in range(skip):
                single.step(action)
                screens.append(single.screen())
            np.testing.assert_array_equal(frame, preprocess(*screens[-2:]))


def test_a_lost_life_is_terminal_and_the_game_goes_on(ale):
    games = Games("ALE/Breakout-v5", 2, seed=0)
    rng = np.random.default_rng(0)
    assert games.first.all()
    lives = [game._lives for game in games.games]
    lost = over = 0
    for _ in range(400):
        _, terminal, ends = games.step(rng.integers(games.actions, size=2))
        np.testing.assert_array_equal(games.first, terminal)
        for e, game in enumerate(games.games):
            if ends[e]:
                assert terminal[e] and game._lives == 5 and game._frames == game.no_ops
            elif terminal[e]:
                assert game._lives == lives[e] - 1 and game._frames > game.no_ops
            lives[e] = game._lives
        lost, over = lost + np.sum(terminal & ~ends), over + np.sum(ends)
    games.close()
    assert lost >= 4 * over > 0


def test_the_seed_decides_the_game(ale):
    # In Pong: Breakout's ball starts alike after any number of no-ops.
    def play(envs, seed):
        games = Games("ALE/Pong-v5", envs, seed)
        frames, actions = [games.frames], np.random.default_rng(0).integers(games.actions, size=15)
        for action in actions:
            rewards, *_ = games.step(np.full(envs, action))
            assert rewards.dtype == np.float32
            frames.append(games.frames)
        games.close()
        return np.array(frames)

    three = play(3, 7)
    np.testing.assert_array_equal(three, play(3, 7))
    np.testing.assert_array_equal(three[:, :2], play(2, 7))
    assert (three[:, 0] != three[:, 1]).any() and (three != play(3, 8)).any()


def test_actions_stick_only_if_asked(ale):
    def play(seed, sticky):
        game = Atari("ALE/Breakout-v5", seed=seed, no_op_max=0, repeat_action=sticky)
        game.reset()
        actions = np.random.default_rng(0).integers(game.actions, size=60)
        return np.array([game.step(action).frame for action in actions])

    # Without no-ops nothing but sticky actions is left to chance.
    np.testing.assert_array_equal(play(0, 0.0), play(1, 0.0))
    np.testing.assert_array_equal(play(0, 0.5), play(0, 0.5))
    assert (play(0, 0.5) != play(1, 0.5)).any()


def test_no_ops_are_uniform_from_one_to_the_most(ale):
    game = Atari("ALE/Pong-v5", seed=0, no_op_max=5)
    counts = np.zeros(7, int)
    for _ in range(100):
        game.reset()
        assert game._ale.getEpisodeFrameNumber() == game.no_ops
        counts[game.no_ops] += 1
    assert counts[0] == counts[6] == 0 and (abs(counts[1:6] - 20) < 15).all()


def test_actions_are_the_games_own(ale):
    game = Atari("ALE/Breakout-v5", seed=0)
    assert game.meanings == ["NOOP", "FIRE", "RIGHT", "LEFT"] and game.actions == 4


def test_a_game_that_lasts_too_long_is_cut(ale):
    games = Games("ALE/Pong-v5", 2, seed=0, max_frames=50, no_op_max=8)
    frames, cuts = np.array([game.no_ops for game in games.games]), 0
    for _ in range(40):
        _, terminal, over = games.step(np.zeros(2, int))
        frames += 4
        assert not terminal.any()
        np.testing.assert_array_equal(over, frames >= 50)
        np.testing.assert_array_equal(games.first, over)
        frames = np.where(over, [game.no_ops for game in games.games], frames)
        cuts += over.sum()
    games.close()
    assert cuts >= 4
    with pytest.raises(ValueError, match="nothing to play"):
        Atari("ALE/Pong-v5", seed=0, max_frames=30)


def test_an_unknown_game_is_answered_in_one_line(ale):
    check("ALE/Pong-v5")
    for name in ("ALE/Pnog-v5", "Pong", "PongNoFrameskip-v4", "ALE/Pong-v4"):
        with pytest.raises(UserError) as caught:
            check(name)
        assert caught.value.code == 2
        assert str(caught.value).startswith("no Atari game 'ALE/P")
        assert str(caught.value).endswith("; the nearest names are ALE/Pong-v5")
    with pytest.raises(UserError, match="nearest names are ALE/SpaceInvaders-v5"):
        Atari("space invaders", seed=0)


@pytest.mark.parametrize(
    "name, near",
    [
        ("Pong", "ALE/Pong-v5"),
        ("PongNoFrameskip-v4", "ALE/Pong-v5"),
        ("Pong-ram-v0", "ALE/Pong-v5"),
        ("SpaceInvadersDeterministic-v4", "space_invaders, ALE/SpaceInvaders-v5"),
        ("Ms Pacman", "ALE/MsPacman-v5"),
        ("brakout", "breakout, ALE/Breakout-v5"),
    ],
)
def test_the_games_that_are_meant_are_named(name, near):
    with pytest.raises(UserError) as caught:
        check_name(name)
    assert str(caught.value) == f"no game {name!r}; the nearest names are {near}"


@pytest.mark.parametrize("missing", ["ale_py", "gymnasium"])
def test_a_missing_extra_is_answered_in_one_line(monkeypatch, missing):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == missing else found(name, *a)
    )
    with pytest.raises(UserError, match=r"^[^\n]*pip install -e '\.\[atari\]'$") as caught:
        check("ALE/Pong-v5")
    assert caught.value.code == 2
