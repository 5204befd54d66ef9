import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.envs import catch
from lib.envs.games import make_game, reset_where
from lib.envs.names import ATARI, CHANNELS, MINATAR, MOTION, check_name, slug

STICKY = 0.1
POLICY = {"freeway": (0.1, 0.8, 0.1)}
"""Chances of the actions; equal if not said. Chickens that dither never cross."""
STEPS = {"freeway": 20_000, "seaquest": 20_000}
"""6000 if not said: one of Freeway's episodes is 2501 steps, and few of Seaquest's score."""


# --- The original MinAtar, step by step -------------------------------------------------------


def draws(module, step, of):
    """What the function `of` of `module` would be called with, were `step()` run: (args, kwargs)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, of, lambda *args, **kwargs: (args, kwargs))
        return step()


def rollout(name):
    """A long random play, episode after episode, with all that chance decided: a dict of arrays."""
    pytest.importorskip("minatar", reason="the original MinAtar is what pgx's is held against")
    module = importlib.import_module(f"pgx_minatar.{name}")
    actions = importlib.import_module(f"minatar.environments.{name}").Env().minimal_action_set()
    game = make_game(name, sticky=STICKY)
    assert game.actions == len(actions)
    chances = jnp.array(POLICY.get(name, [1 / len(actions)] * len(actions)))

    def step_draws(state, action, key):
        key = jax.random.key_data(jax.random.clone(key))
        codes = jnp.array(actions)
        args, kwargs = draws(
            module, lambda: module._step(state, codes[action], key, STICKY), "_step_det"
        )
        return args[1:], kwargs  # the action that sticks or not, and the rest

    def reset_draws(key):
        if not hasattr(module, "_init_det"):
            return {}
        key = jax.random.key_data(jax.random.clone(key))
        return draws(module, lambda: module._init(rng=key), "_init_det")[1]

    def step(state, key):
        for_action, for_step, for_reset = jax.random.split(key, 3)
        action = jax.random.choice(for_action, game.actions, p=chances)
        out = {"drawn": step_draws(state, action, for_step), "reset": reset_draws(for_reset)}
        state, reward, terminal = game.step(state, action, for_step)
        out |= {"reward": reward, "terminal": terminal, "seen": game.observe(state)}
        fresh = game.reset(for_reset)
        state = jax.tree.map(lambda new, old: jnp.where(terminal, new, old), fresh, state)
        return state, out | {"next": game.observe(state)}

    @jax.jit
    def run(key):
        for_reset, for_steps = jax.random.split(key)
        start = {"reset": reset_draws(for_reset)}
        state = game.reset(for_reset)
        start["seen"] = game.observe(state)
        keys = jax.random.split(for_steps, STEPS.get(name, 6000))
        return start, jax.lax.scan(step, state, keys)[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


@pytest.fixture(scope="module")
def played():
    """`played(name)` is `rollout(name)`, run once."""
    known = {}
    return lambda name: known[name] if name in known else known.setdefault(name, rollout(name))


class Scripted:
    """Takes the place of the original's `RandomState`: says what is written in `lines`."""

    def rand(self, *shape, **limits):
        return self.lines.pop(0)

    randint = rand


def coin(heads):
    """What `rand() < 1/2` and `rand() < 1/3` find true where `heads`."""
    return 0.1 if heads else 0.9


def lines(env, name, args, kwargs):
    """What the original will draw in its next step, from what pgx drew."""
    if name == "freeway":
        return [kwargs["speeds"].copy(), np.where(kwargs["directions"] > 0, 0.9, 0.1)]
    if name == "asterix":
        free = [i for i, entity in enumerate(env.entities) if entity is None]
        slot = [free.index(kwargs["slot"])] if free else []
        return [coin(kwargs["lr"]), coin(kwargs["is_gold"]), *slot]
    if name == "seaquest":
        enemy_lr, is_sub, enemy_y, diver_lr, diver_y = args
        enemy = [coin(enemy_lr), coin(is_sub), int(enemy_y)] if env.e_spawn_timer == 0 else []
        return [*enemy, coin(diver_lr), int(diver_y)]
    return []


def start(env, name, drawn):
    env.random.lines = [int(drawn["ball_start"])] if name == "breakout" else []
    if name == "freeway":
        env.random.lines = lines(env, name, (), drawn)
    env.reset()


def replay(name, play, env=None):
    """Plays `play` in the original: yields the original, and whether the last step was the same."""
    env = env or importlib.import_module(f"minatar.environments.{name}").Env()
    env.random = Scripted()
    begun, steps = play
    start(env, name, begun["reset"])
    np.testing.assert_array_equal(begun["seen"], env.state())
    drawn, tree = jax.tree.flatten(steps["drawn"])
    for i, now in enumerate(zip(*drawn, strict=True)):
        (action, *args), kwargs = tree.unflatten(now)
        env.random.lines = lines(env, name, args, kwargs)
        reward, terminal = env.act(int(action))
        same = reward == steps["reward"][i] and terminal == steps["terminal"][i]
        yield env, same and np.array_equal(env.state(), steps["seen"][i])
        if steps["terminal"][i]:
            start(env, name, jax.tree.map(lambda x: x[i], steps["reset"]))
            np.testing.assert_array_equal(steps["next"][i], env.state())


@pytest.mark.parametrize("name", MINATAR)
def test_a_game_is_the_original_step_by_step(name, played):
    play = played(name)
    assert play[1]["terminal"].sum() > 5 and play[1]["reward"].sum() > 5
    for i, (_, same) in enumerate(replay(name, play)):
        assert same, f"step {i}"


@functools.cache
def seaquest():
    game = make_game("seaquest")
    return jax.jit(game.reset), jax.jit(game.step), jax.jit(game.observe)


def seaquest_after(steps, action=0, **fields):
    """Seaquest's state, its picture and whether it is over, after `action` from a start with `fields`."""
    reset, step, observe = seaquest()
    state = reset(jax.random.key(0)).replace(**fields)
    for i in range(steps):
        state, _, terminal = step(state, np.int32(action), jax.random.key(i))
    return state, np.asarray(observe(state)), terminal


@pytest.mark.parametrize("oxygen", [0, 1])
def test_seaquest_ends_in_the_first_step_begun_without_oxygen(oxygen):
    _, _, terminal = seaquest_after(1, _oxygen=np.int32(oxygen), _sub_y=np.int32(4))
    assert terminal == (oxygen == 0)


@pytest.mark.parametrize("before, interval", [(0, 5), (1, 4), (2, 5), (3, 4)])
def test_every_second_surfacing_speeds_the_enemies_up(before, interval):
    up = 2
    fields = {"_sub_y": np.int32(1), "_surface": np.bool_(False), "_diver_count": np.int32(3)}
    state, _, terminal = seaquest_after(1, up, _ramp_index=np.int32(before), **fields)
    assert not terminal and state._diver_count == 2
    assert (state._ramp_index, state._move_speed) == (before + 1, interval)


def test_an_enemys_bullet_flies_on_when_another_has_left_the_picture():
    bullets = -np.ones((25, 3), np.int32)
    bullets[:2] = [0, 3, 0], [5, 4, 1]  # x, y, whether it flies to the right
    _, seen, _ = seaquest_after(3, _e_bullets=bullets)
    shown = seen[..., CHANNELS["seaquest"].index("enemy_bullet")]
    np.testing.assert_array_equal(np.argwhere(shown), [[4, 8]])


@pytest.mark.parametrize("name", MINATAR)
def test_random_play_scores_what_it_scores_in_the_original(name, played):
    minatar = pytest.importorskip("minatar", reason="the original sets the range")
    steps, ours, score = played(name)[1], [], 0.0
    for reward, terminal in zip(steps["reward"], steps["terminal"], strict=True):
        score += reward
        if terminal:
            ours.append(score)
            score = 0.0
    env = minatar.Environment(name, sticky_action_prob=STICKY)
    env.seed(0)
    rng, theirs, codes = np.random.default_rng(0), [], env.minimal_action_set()
    for _ in range({"freeway": 15, "seaquest": 1000}.get(name, 200)):
        env.reset()
        score, over = 0.0, False
        while not over:
            reward, over = env.act(rng.choice(codes, p=POLICY.get(name)))
            score += reward
        theirs.append(score)
    error = np.sqrt(np.var(ours) / len(ours) + np.var(theirs) / len(theirs))
    assert error < 0.25 * np.mean(theirs), "too few episodes to tell"
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * error


# --- What `make_game` adds ---------------------------------------------------------------------


@pytest.mark.parametrize("name", MINATAR)
def test_hidden_channels_are_gone_and_the_others_are_as_they_were(name):
    game, blind = make_game(name), make_game(name, hide=MOTION[name])
    assert blind.channels == tuple(c for c in game.channels if c not in MOTION[name])
    assert game.shape == (10, 10, len(CHANNELS[name]))

    @jax.jit
    def seen(key):
        state = game.reset(key)
        return game.observe(state), blind.observe(state)

    whole, rest = map(np.asarray, seen(jax.random.key(1)))
    assert whole.shape == game.shape and rest.shape == blind.shape == (10, 10, len(blind.channels))
    assert whole.dtype == rest.dtype == bool and whole.any()
    for i, channel in enumerate(blind.channels):
        np.testing.assert_array_equal(rest[..., i], whole[..., CHANNELS[name].index(channel)])


def test_channels_have_the_originals_order():
    pytest.importorskip("minatar", reason="the original names them")
    for name in MINATAR:
        env = importlib.import_module(f"minatar.environments.{name}").Env()
        theirs = [c.replace("guage", "gauge").replace("sub", "submarine") for c in env.channels]
        theirs = [c.removeprefix("alien_") for c in theirs]
        assert theirs == list(CHANNELS[name])


def test_an_unknown_channel_is_refused():
    with pytest.raises(ValueError, match="catch has no channel bat"):
        make_game("catch", hide=("ball", "bat"))


@pytest.mark.parametrize("name, left, right", [("catch", 0, 2), ("breakout", 1, 2)])
def test_a_game_that_always_sticks_repeats_the_action_before(name, left, right):
    free, stuck = make_game(name), make_game(name, sticky=1.0)

    @jax.jit
    def run(keys):
        begun, _, _ = free.step(free.reset(keys[0]), left, keys[1])
        # By the free game to the left and to the right, and by the stuck one.
        steps = ((free, left), (free, right), (stuck, right))
        return [
            game.observe(game.step(begun, action, key)[0])
            for (game, action), key in zip(steps, keys[2:], strict=True)
        ]

    repeated, other, found = map(np.asarray, run([jax.random.key(i) for i in range(5)]))
    np.testing.assert_array_equal(found, repeated)
    assert (other != repeated).any()


def test_a_game_sticks_as_often_as_asked():
    game = make_game("catch", sticky=0.25)

    @jax.jit
    def run(reset_key, step_key):
        state, keys = game.reset(reset_key), jax.random.split(step_key, 4000)
        return jax.vmap(lambda key: game.step(state, jnp.int32(0), key)[0])(keys)

    after = run(jax.random.key(0), jax.random.key(1))
    stayed = np.mean(np.asarray(after.paddle) == 2)  # the action before the first is "stay"
    assert abs(stayed - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


@pytest.mark.parametrize("name", ["catch", "freeway"])
def test_only_games_that_are_over_begin_anew(name):
    game = make_game(name)
    over = np.array([False, True, False, True])

    @jax.jit
    def run(*keys):
        begin, move, again = (jax.random.split(key, 4) for key in keys)
        states = jax.vmap(game.reset)(begin)
        states, _, _ = jax.vmap(game.step)(states, jnp.zeros(4, jnp.int32), move)
        fresh = jax.vmap(game.reset)(jax.random.clone(again))
        return reset_where(game, over, states, again), fresh, states

    found, fresh, states = run(*(jax.random.key(i) for i in range(3)))

    def check(found, fresh, old):
        for i in range(4):
            np.testing.assert_array_equal(found[i], (fresh if over[i] else old)[i])

    jax.tree.map(check, *jax.tree.map(np.asarray, (found, fresh, states)))


# --- Catch -------------------------------------------------------------------------------------


def catches(policy):
    """64 games of Catch, `(reward [9, 64], terminal [9, 64], seen [10, 64, 10, 5, 2])`."""
    game = make_game("catch")
    observe = jax.vmap(game.observe)

    def step(states, key):
        keys = jax.random.split(key, 64)
        action = policy(states).astype(jnp.int32)
        states, reward, terminal = jax.vmap(game.step)(states, action, keys)
        return states, (reward, terminal, observe(states))

    @jax.jit
    def run(key):
        for_reset, for_steps = jax.random.split(key)
        states = jax.vmap(game.reset)(jax.random.split(for_reset, 64))
        return observe(states), jax.lax.scan(step, states, jax.random.split(for_steps, 9))[1]

    first, (reward, terminal, seen) = jax.tree.map(np.asarray, run(jax.random.key(0)))
    return reward, terminal, np.concatenate([first[None], seen])


@pytest.mark.parametrize("sign, last", [(1, 1.0), (-1, -1.0)])
def test_who_follows_the_ball_catches_it_and_who_flees_does_not(sign, last):
    """Who flees a ball above the paddle still has to go somewhere: to the right."""

    def policy(s):
        towards = jnp.sign(s.ball - s.paddle)
        return 1 + (towards if sign > 0 else jnp.where(s.ball <= s.paddle, 1, -1))

    reward, terminal, _ = catches(policy)
    np.testing.assert_array_equal(reward[:8], 0)
    np.testing.assert_array_equal(reward[8], last)
    np.testing.assert_array_equal(terminal, np.arange(9)[:, None].repeat(64, 1) == 8)


def test_one_ball_falls_a_row_a_step_and_there_is_one_paddle_at_the_bottom():
    _, _, seen = catches(lambda s: jnp.arange(64) % 3)
    assert seen.shape[2:] == (*catch.SHAPE, 2)
    np.testing.assert_array_equal(seen.sum(axis=(2, 3)), 1)
    ball, paddle = seen[..., 0], seen[..., 1]
    rows = ball.any(axis=3).argmax(axis=2)
    np.testing.assert_array_equal(rows, np.arange(10)[:, None].repeat(64, 1))
    columns = ball.any(axis=2).argmax(axis=2)
    assert (columns == columns[:1]).all() and set(columns[0]) == set(range(5))
    assert paddle[:, :, 9].any(axis=2).all()
    ends = paddle[-1, :, 9].argmax(axis=1)
    np.testing.assert_array_equal(ends, np.array([0, 2, 4])[np.arange(64) % 3])


# --- Names -------------------------------------------------------------------------------------


def test_known_names_pass_without_an_emulator():
    for name in (*CHANNELS, *ATARI):
        check_name(name)


def test_the_emulated_games_are_those_of_the_emulator():
    pytest.importorskip("ale_py", reason="needs the extra atari")
    from lib.envs.atari import _names

    assert set(_names()) == set(ATARI)
    assert len(ATARI) == len(set(map(slug, ATARI))) > 100


@pytest.mark.parametrize(
    "wrong, near",
    [
        *(("brekout", "breakout"), ("Catch", "catch"), ("xyz", "freeway")),
        *(("ALE/Pnog-v5", "ALE/Pong-v5"), ("ALE/Pong-v4", "ALE/Pong-v5")),
        ("ALE/spaceinvaders", "ALE/SpaceInvaders-v5"),
    ],
)
def test_an_unknown_game_is_refused_in_one_line_with_the_nearest_names(wrong, near):
    with pytest.raises(UserError) as refused:
        check_name(wrong)
    message = str(refused.value)
    assert refused.value.code == 2 and "\n" not in message
    assert repr(wrong) in message and near in message


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("ALE/BeamRider-v5", "atari_beam_rider"),
        ("ALE/Pong-v5", "atari_pong"),
        ("space_invaders", "space_invaders"),
    ],
)
def test_a_slug_is_lower_case_with_underscores(name, wanted):
    assert slug(name) == wanted
