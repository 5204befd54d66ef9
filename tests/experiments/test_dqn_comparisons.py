"""DQN's comparisons: each arm lacks what the claim says, and nothing else. Equal arms fail a test here."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.dqn import agent as agents
from experiments.dqn import atari, experiment
from experiments.dqn.agent import make_agent, make_rule, renews_target
from experiments.dqn.config import PRESETS
from experiments.dqn.variants import AGENTS, CELLS, full_agent, linear, of_one_and_four_frames
from lib.envs import replay
from lib.run.keys import root_keys
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.q_learning import Transitions

CONFIG = replace(
    PRESETS["smoke"],
    env=("catch",),
    games=4,
    update_every=4,
    batch=4,
    replay=200,
    replay_start=80,
    target_every=16,
)
PAYS = 5.0
"""Points for a catch in these tests: more than the rewards that an agent learns from."""


# --- Replay and target network ---------------------------------------------------------------------


def cells():
    """The four agents of Table 3; a linear network, as the rule is the same and compiles sooner."""
    four = [full_agent(CONFIG), *AGENTS["replay_target"](CONFIG, "catch")]
    return {agent.name: replace(agent, network="linear") for agent in four}


@pytest.fixture(scope="module", params=list(CELLS))
def cell(request):
    """Of one agent of Table 3: its name, variant, `step(state, seed, t)`, and a start that has moved on."""
    variant = cells()[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "make_game", paying(agents.make_game))
        made = make_agent.__wrapped__(CONFIG, "catch", variant)
        init, step = jax.jit(made.init), jax.jit(made.step)
        start = init(jax.random.key(0))
        # Away from where both networks are the same.
        learner = start.learner.replace(target=shifted(start.learner.target))
        start = start.replace(learner=learner)

        def one(state, seed, t):
            return step(state, (), jax.random.key(seed), jnp.int32(t))[0]

        yield request.param, made, one, start


def paying(make_game):
    def make(name, **options):
        game = make_game(name, **options)

        def step(state, action, key):
            state, reward, over = game.step(state, action, key)
            return state, PAYS * reward, over

        return game._replace(step=step)

    return make


def shifted(tree):
    return jax.tree.map(
        lambda x: x + 0.5 * jnp.cos(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape), tree
    )


def same(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def near(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_without_replay_an_update_learns_from_the_newest_transitions_and_with_it_from_any(cell):
    name, made, step, start = cell
    one, other = (step(start, seed, 0).learner.params for seed in (1, 2))
    _, learn = make_rule(CONFIG, cells()[name], made.value)
    newest = Transitions(*replay.newest(start.memory, CONFIG.batch, 1))
    wanted = learn(start.learner, newest)[0].params
    if CELLS[name]["replay"]:
        assert not same(one, other) and not near(one, wanted)
        assert len(start.memory.frames) == CONFIG.replay // CONFIG.games
    else:
        assert same(one, other) and near(one, wanted)


def test_without_a_target_network_targets_come_from_the_one_that_learns(cell):
    name, _, step, start = cell
    moved = start.replace(learner=start.learner.replace(target=shifted(start.learner.target)))
    as_it_learns = start.replace(learner=start.learner.replace(target=start.learner.params))
    params = [step(state, 1, 0).learner.params for state in (start, moved, as_it_learns)]
    depends = not same(params[0], params[1])
    assert depends == CELLS[name]["target"]
    assert same(params[0], params[2]) != CELLS[name]["target"]


def test_the_target_network_is_kept_between_its_renewals(cell):
    name, _, step, start = cell
    for t, renewed in enumerate((False, False, False, True, False)):
        learner = step(start, 1, t).learner
        if CELLS[name]["target"] and renewed:
            assert same(learner.target, learner.params)
        else:
            assert same(learner.target, start.learner.target)
        assert not same(learner.params, start.learner.params)


def test_the_target_is_renewed_every_so_many_agent_steps():
    config = replace(CONFIG, update_every=4, target_every=12)
    assert [renews_target(config, update) for update in range(7)] == 2 * [0, 0, 1] + [0]


def test_an_agent_learns_from_clipped_rewards(cell):
    _, _, step, start = cell
    for memory in (start.memory, step(start, 1, 0).memory):
        assert set(np.unique(memory.reward)) <= {-1, 0, 1}
    assert np.abs(start.memory.reward).max() == 1


def test_the_agents_of_table_3_differ_in_what_it_says_only():
    for name, variant in cells().items():
        assert {"replay": variant.replay, "target": variant.target} == CELLS[name]
        assert replace(variant, name="dqn", replay=True, target=True) == cells()["dqn"]
    assert len(set(map(tuple, map(dict.items, CELLS.values())))) == 4


def test_each_agent_is_shown_at_its_best_learning_rate_and_compared_the_right_way():
    config = replace(CONFIG, learning_rates=(0.1, 0.2))
    bests = {"dqn": [4, 8], "no_target": [2, 6], "no_replay": [1, 2], "neither": [1, 1]}
    metrics = {f"pong_{cell}_best": scores for cell, scores in bests.items()}
    metrics |= {f"pong_{cell}_0.2_best": [0, 0] for cell in CELLS} | {"pong_dqn_0.2_best": [6, 7]}
    assert experiment.compare_cells(config, "pong", metrics) == {
        "pong_table_dqn": [6, 8],
        "pong_table_no_target": [2, 6],
        "pong_table_no_replay": [1, 2],
        "pong_table_neither": [1, 1],
        "pong_replay_times": [6, 4],
        "pong_target_times": [3, 8 / 6],
        "pong_replay_alone_times": [2, 3],
    }


def test_the_optimiser_is_the_released_codes_rmsprop():
    """Means of the gradient and of its square, no velocity, and 0.01 inside the root: scale matters."""
    rate = 0.1
    tx, _ = make_rule(CONFIG, replace(full_agent(CONFIG), learning_rate=rate), None)
    gradients = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)

    @jax.jit
    def path(gradients):
        def update(carry, gradient):
            theta, state = carry
            step, state = tx.update(gradient, state, theta)
            return (theta + step, state), theta + step

        theta = jnp.zeros(3)
        return jax.lax.scan(update, (theta, tx.init(theta)), gradients)[1]

    for scale in (1e-3, 1.0, 1e3):
        theta, g, n = (np.zeros(3) for _ in range(3))
        for gradient, found in zip(gradients, path(scale * gradients), strict=True):
            gradient = scale * gradient.astype(np.float64)
            g, n = 0.95 * g + 0.05 * gradient, 0.95 * n + 0.05 * gradient**2
            theta = theta - rate * gradient / np.sqrt(n - g**2 + 0.01)
            np.testing.assert_allclose(found, theta, rtol=1e-4, atol=1e-6 * scale)


# --- Sight -----------------------------------------------------------------------------------------


def test_one_frame_and_four_see_the_same_but_for_the_frames():
    one, four = of_one_and_four_frames(replace(CONFIG, env=("breakout",)), "breakout")
    assert (one.history, four.history) == (1, 4) and one.hide == four.hide == ("trail",)
    assert replace(one, name="four_frames", history=4) == four
    full = full_agent(CONFIG)
    assert replace(four, name="dqn", history=full.history, hide=()) == full
    rng = np.random.default_rng(0)
    for variant, frames in ((one, 1), (four, 4)):
        made = make_agent(CONFIG, "breakout", variant)
        seen = jnp.asarray(
            rng.integers(0, 256, (2, frames, agents.frame_bytes(made.game)), np.uint8)
        )
        looks = made.look(seen)
        assert looks.shape == (2, 10, 10, 3 * frames)  # paddle, ball and bricks; no trail
        for i in range(frames):  # each of the frames is another part of what the network gets
            other = made.look(seen.at[:, i].set(~seen[:, i]))
            np.testing.assert_array_equal(
                (other != looks).all((0, 1, 2)), np.arange(3 * frames) // 3 == i
            )


def test_the_linear_network_is_linear_and_the_agents_is_not():
    (variant,) = linear(CONFIG, "breakout")
    assert replace(variant, name="dqn", network=CONFIG.network) == full_agent(CONFIG)
    for agent, additive in ((variant, True), (full_agent(CONFIG), False)):
        net = make_agent(CONFIG, "breakout", agent).net
        one, other = jnp.asarray(
            np.random.default_rng(0).normal(size=(2, 1, 10, 10, 4)), jnp.float32
        )
        q = net.apply(
            net.init(jax.random.key(0), one), jnp.concatenate([one, other, one + other, 0 * one])
        )
        assert np.allclose(q[0] + q[1], q[2] + q[3], atol=1e-4) == additive


@pytest.mark.parametrize(
    "part, of, wanted",
    [
        ("table_4", {"linear_best": [2.0, 4]}, {"linear_times": [4, 0.5]}),
        (
            "history",
            {"four_frames_score": [6.0, 1], "one_frame_score": [2.0, 0]},
            {"frames_times": [3, np.inf]},
        ),
    ],
)
def test_the_whole_agents_score_is_divided_by_the_others(monkeypatch, part, of, wanted):
    trained = Result({f"catch_{name}": scores for name, scores in of.items()})
    monkeypatch.setattr(experiment, "study", lambda *args: trained)
    needs = {"catch": Result({"catch_dqn_best": [8.0, 2]})}
    compute = getattr(experiment, part)
    result = compute(CONFIG, "catch", root_keys((0, 1)), Watch(), needs)
    assert {k: v for k, v in result.metrics.items() if k not in trained.metrics} == {
        f"catch_{name}": values for name, values in wanted.items()
    }


def test_scores_below_zero_have_no_ratio():
    assert experiment.times([1.0, 1, -1], [2.0, 0, 3]) == [0.5, np.inf, -1 / 3]
    assert np.isnan(experiment.times([-20.0, 0], [-21.0, 0])).all()


# --- Atari, without an emulator --------------------------------------------------------------------


class Games:
    """What `lib.envs.atari.Games` is to a player: pictures that tell the step, and large rewards."""

    actions = 3

    def __init__(self, name, games, seed, **settings):
        self.t, self.n = 0, games
        self._show(np.ones(games, bool))

    def _show(self, first):
        self.first = first
        self.frames = np.full((self.n, *atari.SHAPE), self.t % 256, np.uint8)

    def step(self, actions):
        self.t += 1
        over = np.full(self.n, self.t % 5 == 0)
        self._show(over)
        return np.full(self.n, PAYS), over, over

    def close(self):
        pass


ATARI = replace(
    PRESETS["paper"],
    env=("ALE/Pong-v5",),
    **{"steps": 32, "batch": 4, "replay": 60, "replay_start": 40, "chunk": 16, "target_every": 16},
    **{"evaluate_every": 16, "episodes": 2, "held_out": 4, "epsilon_steps": 32},
)


@pytest.mark.parametrize("name", CELLS)
def test_on_the_emulator_the_agents_of_table_3_differ_in_the_same(monkeypatch, name):
    updates, epsilons = [], []

    class Network:
        """Counts its updates, and notes what they learn from."""

        def init(self, key):
            return agents.QState(np.zeros(1), np.zeros(1), ())

        def value(self, params, frames):
            return np.zeros((len(frames), Games.actions))

        def best(self, params, frames):
            return 0.0

        def learn(self, learner, batch):
            updates.append((batch, learner.params[0], learner.target[0]))
            return learner.replace(params=learner.params + 1), {"loss": 0.0, "q": 0.0}

    act = atari.Player.act

    def noted(player, rng, epsilon, value):
        epsilons.append(epsilon)
        return act(player, rng, epsilon, value)

    monkeypatch.setattr(atari.emulator, "Games", Games)
    monkeypatch.setattr(atari, "network", lambda *args: Network())
    monkeypatch.setattr(atari.Player, "act", noted)
    four = [full_agent(ATARI), *AGENTS["replay_target"](ATARI, "ALE/Pong-v5")]
    (variant,) = (agent for agent in four if agent.name == name)
    epsilons.clear()
    trained = atari.train_agent(ATARI, "ALE/Pong-v5", variant, "t", root_keys((0,)), Watch())
    assert [row["agent_steps"] for row in trained.history] == [16, 32]
    assert trained.params[0] == len(updates) == 8
    for i, (batch, params, target) in enumerate(updates):
        assert set(np.unique(batch.reward)) == {1} and params == i
        assert target == (4 * (i // 4) if variant.target else 0)
        newest = batch.observation[:, 0, 0, -1]
        in_order = np.array_equal(newest, np.arange(35 + 4 * i, 39 + 4 * i))
        assert in_order != variant.replay
    line = [0.1 + 0.9 * (1 - t / 32) for t in range(4, 32, 4)]
    np.testing.assert_allclose(sorted({e for e in epsilons if 0.1 < e < 1}), line[::-1])
