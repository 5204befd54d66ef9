"""The DQN experiment: what its config refuses, how agents train, what is measured of them."""

import json
import re
from dataclasses import replace

import jax
import numpy as np
import pytest

from experiments.dqn import atari, minatar, play
from experiments.dqn.agent import exploration, make_agent
from experiments.dqn.chain import learn_chain
from experiments.dqn.config import PARTS, PRESETS
from experiments.dqn.episodes import Seen, make_scorer, make_watcher
from experiments.dqn.experiment import beside_published, load_data, run
from experiments.dqn.measures import embed, neighbours_agree, training_score, travel
from experiments.dqn.published import SCORES, normalised
from experiments.dqn.scripts import around_rewards, meet_a_fish, own_values, value_error
from experiments.dqn.variants import AGENTS, CELLS, cell_name, full_agent
from lib.base.errors import UserError
from lib.run.keys import many_keys, root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch

SMOKE = PRESETS["smoke"]


# --- Config ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"env": ()}, "--env needs one or more different values"),
        ({"env": ("braekout",)}, "no game 'braekout'; the nearest names are breakout"),
        (
            {"env": ("ALE/Pnog-v5",)},
            "no Atari game 'ALE/Pnog-v5'; the nearest names are ALE/Pong-v5",
        ),
        ({"env": ("ALE/Pong-v5",)}, "--network minatar is for pictures of 10 x 10"),
        ({"network": "2015"}, "--network 2015 is for Atari"),
        ({"learning_rates": (0.0,)}, "--learning-rates must be above 0"),
        ({"gamma": 1.5}, "--gamma must be in [0, 1], not 1.5"),
        ({"games": 3}, "--games 3 and --update-every 4: one must divide the other"),
        ({"steps": 1_001}, "--steps must be a multiple of 4"),
        ({"evaluate_every": 600}, "--evaluate-every must be a multiple of --chunk, 400"),
        ({"replay_start": 8}, "--replay-start must be at least 132, not 8"),
        ({"batch": 0}, "--batch must be at least 1, not 0"),
    ],
)
def test_impossible_settings_are_refused(changed, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        replace(SMOKE, **changed)


def test_each_agent_of_the_studies_is_trained_once():
    config = replace(SMOKE, learning_rates=(0.001, 0.002))
    names = [agent.name for of in AGENTS.values() for agent in of(config, "breakout")]
    assert len(set(names)) == len(names) == 2 * len(CELLS) + 3
    rates = {a.name: a.learning_rate for a in AGENTS["replay_target"](config, "breakout")}
    assert {rates[cell_name(config, "neither", rate)] for rate in (0.001, 0.002)} == {0.001, 0.002}


def test_games_and_studies_choose_parts_and_change_no_number():
    from lib.run.paper import load_paper

    paper = load_paper("experiments.dqn")
    assert paper.chosen(SMOKE) == ["chain", "breakout"]
    more = replace(SMOKE, env=("catch", "freeway"), studies=("linear", "history"))
    freeway, catch = ("freeway", "table_4_freeway", "history_freeway"), ("catch", "table_4_catch")
    assert paper.chosen(more) == ["chain", *freeway, *catch, "history_catch"]
    assert paper.identity(more) == paper.identity(SMOKE)
    pong = replace(PRESETS["paper"], env=("ALE/Pong-v5",))
    assert paper.chosen(pong) == ["chain", "atari_pong"]
    assert paper.chosen(pong, ["table_3_atari_hero"]) == ["atari_hero", "table_3_atari_hero"]


def test_no_two_parts_make_the_same_metric():
    made = [f"{game}_{of}" for game in ("breakout", "atari_pong") for of in OF_A_GAME]
    for metric in ("chain_error", *made):
        assert sum(part.makes(metric) for part in PARTS.values()) == 1, metric


OF_A_GAME = (
    *(
        "random",
        "dqn_score",
        "dqn_0.001_score",
        "no_target_best",
        "no_target_6.25e-05_q",
        "table_dqn",
    ),
    *(
        "replay_times",
        "replay_alone_times",
        "linear_q",
        "linear_times",
        "one_frame_q",
        "frames_times",
    ),
    *("value_rise", "normalised"),
)


def test_only_the_games_that_are_asked_for_are_looked_up():
    assert load_data(SMOKE).about.keys() == {"breakout"}
    assert load_data(SMOKE, only={"catch"}).about.keys() == {"catch"}
    assert load_data(SMOKE, only=()).about == {}
    with pytest.raises(
        UserError, match="--network minatar is for pictures of 10 x 10, not for ALE/Pong"
    ):
        load_data(SMOKE, only={"ALE/Pong-v5"})
    with pytest.raises(UserError, match="--network 2015 is for Atari; .* so does catch"):
        load_data(PRESETS["paper"], only={"catch"})


def test_a_memory_that_does_not_fit_is_refused_before_anything_runs():
    with pytest.raises(UserError, match=r"the replay memory needs \d+(\.\d+)? GiB") as refused:
        load_data(replace(SMOKE, replay=10**12))
    assert refused.value.code == 2 and "\n" not in str(refused.value)


# --- Training --------------------------------------------------------------------------------


def test_epsilon_falls_along_a_line():
    config = replace(SMOKE, epsilon=0.1, epsilon_steps=100)
    found = [float(exploration(config, t)) for t in (0, 50, 100, 1_000)]
    np.testing.assert_allclose(found, [1, 0.55, 0.1, 0.1], rtol=1e-6)


def test_keys_of_one_draw_all_differ():
    keys = many_keys(jax.random.key(0), (), (3,), (2, 2))
    assert [k.shape for k in keys] == [(), (3,), (2, 2)]
    data = np.concatenate([jax.random.key_data(k).reshape(-1, 2) for k in keys])
    assert len({tuple(d) for d in data.tolist()}) == 8


@pytest.mark.parametrize("games, update_every", [(1, 4), (8, 4)])
def test_an_iteration_plays_and_learns_as_often_as_asked(games, update_every):
    config = replace(
        SMOKE, games=games, update_every=update_every, replay_start=304, target_every=16, chunk=400
    )
    # How often it plays and learns is the same for every network; a linear one compiles sooner.
    agent = make_agent(config, "catch", replace(full_agent(config), network="linear"))
    keys = root_keys((0,))
    start = initialise(agent.init, keys, conv=True)
    rows = 304 // games
    assert start.memory.added[0] == rows
    steps = 16 // agent.agent_steps
    end = train(
        "t", start, agent.step, keys, (), steps=steps, every=steps, watch=Watch(), conv=True
    ).state
    assert end.memory.added[0] - rows == 16 // games
    same = jax.tree.map(lambda a, b: bool((a == b).all()), end.learner.params, end.learner.target)
    assert all(jax.tree.leaves(same))  # the target was renewed with the last update
    moved = jax.tree.map(
        lambda a, b: bool((a != b).any()), end.learner.params, start.learner.params
    )
    assert all(jax.tree.leaves(moved))


def test_an_agent_learns_to_catch():
    config = replace(
        SMOKE,
        env=("catch",),
        steps=20_000,
        replay=4_000,
        epsilon_steps=5_000,
        target_every=400,
        learning_rates=(0.001,),
        gamma=0.7,
        sticky=0.0,
        chunk=4_000,
        evaluate_every=20_000,
        episodes=30,
    )
    variant = full_agent(config)
    trained = minatar.train_agent(config, "catch", variant, "catch-dqn", root_keys((0,)), Watch())
    agent = make_agent(config, "catch", variant)
    score = make_scorer(agent, 30, 20)
    assert score(trained.params[0], jax.random.key(1), 0.0).mean() > 0.9
    assert score(trained.params[0], jax.random.key(1), 1.0).mean() < 0
    # A catch is worth 1, and nine steps before gamma^8, a twentieth.
    seen = make_watcher(agent, 0.0, 9)(trained.params[0], jax.random.key(2))
    worth = config.gamma ** np.arange(8, -1, -1.0)
    np.testing.assert_allclose(seen.q.max(axis=1), worth, atol=0.15)


def test_a_seed_among_others_is_that_seed_alone(dqn_smoke):
    alone, _ = dqn_smoke[2].weights["breakout-dqn"]
    keys = root_keys((1, 0))
    both = minatar.train_agent(SMOKE, "breakout", full_agent(SMOKE), "breakout-dqn", keys, Watch())
    for a, b in zip(jax.tree.leaves(both.params[1]), jax.tree.leaves(alone), strict=True):
        np.testing.assert_array_equal(a, b[0])
    other = jax.tree.leaves(both.params[0])
    assert not any(
        np.array_equal(a, b[0]) for a, b in zip(other, jax.tree.leaves(alone), strict=True)
    )


# --- What is measured --------------------------------------------------------------------------


def test_the_chain_has_powers_of_gamma():
    learned, true = learn_chain(0.9)
    np.testing.assert_allclose(true, [0.6561, 0.729, 0.81, 0.9, 1])
    np.testing.assert_allclose(learned, true, atol=1e-5)


def test_travel_is_one_for_a_rising_curve_and_large_for_noise():
    assert travel(np.array([0, 1, 5, 9])) == 1
    assert travel(np.array([0, 1, 0, 1, 0])) == 4
    assert travel(np.zeros(3)) == np.inf


def test_a_training_score_is_what_was_won_in_an_episode_of_its_end():
    rows = [
        {"agent_steps": 100, "reward": [9.0, 9.0], "ended": [1.0, 1.0]},
        {"agent_steps": 200, "reward": [0.5, 0.0], "ended": [0.1, 0.2]},
        {"agent_steps": 300, "reward": [0.3, 0.0], "ended": [0.1, 0.0]},
    ]
    np.testing.assert_allclose(training_score(rows, 200), [4, 0])
    assert np.isnan(training_score(rows, 100)[1])


def test_scores_stand_beside_the_published_ones_only_after_as_many_steps():
    rows = [{"agent_steps": 5_000_000, "reward": [0.05], "ended": [0.01]}]
    long = replace(PRESETS["laptop"], steps=5_000_000)
    found = beside_published(long, "breakout", rows, 0.5)
    assert found["breakout_training_score"] == [pytest.approx(5)]
    assert found["breakout_of_published"] == [pytest.approx((5 - 0.5) / (9.23 - 0.5))]
    assert beside_published(PRESETS["laptop"], "breakout", rows, 0.5) == {}
    assert beside_published(long, "catch", rows, 0.5) == {}


def test_values_around_rewards_that_stand_alone():
    reward = np.zeros(20)
    reward[[6, 12, 13]] = 1
    around = around_rewards(np.arange(20.0), reward, np.zeros(20, bool), before=2, after=1)
    np.testing.assert_array_equal(around, [[4, 5, 6, 7]])
    ended = np.arange(20) == 7
    assert around_rewards(np.arange(20.0), reward, ended, before=2, after=1).shape == (0, 4)


def seen(q, reward, over):
    """A stretch of a game in which the second action is always taken."""
    n = len(q)
    fields = {"q": np.array(q, float), "action": np.ones(n, int), "reward": np.array(reward, float)}
    return Seen(None, features=None, terminal=np.array(over, bool), **fields)


def test_values_rise_to_a_reward_and_fall_after_it_in_the_agents_own_games():
    value = [0, 0, 1, 2, 3, 4, 5, 1, 1, 1, 1, 1]
    game = seen([[v, v] for v in value], np.arange(12) == 6, [False] * 12)
    never = seen([[0, 0]] * 12, [0] * 12, [False] * 12)
    found = own_values("breakout", [np.array(value), np.zeros(12)], [game, never])
    np.testing.assert_array_equal(found["breakout_value_own_rise"], [4, np.nan])
    np.testing.assert_array_equal(found["breakout_value_own_fall"], [4, np.nan])


def test_a_value_that_the_next_step_bears_out_has_no_error():
    """Rewards are clipped, nothing comes after a game, and what is compared is the action that was taken."""
    true = seen([[0, 1.5], [0, 1.0], [0, 1.0], [0, 0]], [1, 2, 1, 0], [False, True, True, True])
    assert value_error(true, gamma=0.5) == 0
    wrong = seen([[0, 1.5], [0, 1.0], [0, 4.0], [0, 0]], [1, 2, 1, 0], [False, True, True, True])
    assert value_error(wrong, gamma=0.5) == 1
    other = seen([[2.5, 1.5], [0, 1.0], [0, 1.0], [0, 0]], [1, 2, 1, 0], [False, True, True, True])
    assert value_error(other, gamma=0.5) == 0


def test_neighbours_agree_where_the_map_follows_the_value():
    rng = np.random.default_rng(0)
    value = rng.normal(size=200)
    along = np.stack([value, np.zeros(200)], axis=1)
    assert neighbours_agree(along, value) > 0.95
    assert neighbours_agree(rng.normal(size=(200, 2)), value) < 0.2
    assert embed(rng.normal(size=(50, 8))).shape == (50, 2)


def test_normalised_scores_are_the_papers():
    assert len(SCORES) == 49
    assert normalised("ALE/Breakout-v5", 401.2) == pytest.approx(1327.2, abs=0.1)
    assert normalised("ALE/Pong-v5", 9.3) == 100
    assert np.isnan(normalised("ALE/Adventure-v5", 1.0))


def test_the_script_of_seaquest_hits_one_fish():
    config = replace(SMOKE, sticky=0.0)
    agent = make_agent(config, "seaquest", full_agent(config))
    params = agent.net.init(jax.random.key(0), np.zeros((1, *agent.game.shape)))["params"]
    seen = make_watcher(agent, 0.0, 30, meet_a_fish)(params, jax.random.key(0))
    reward = np.asarray(seen.reward)
    assert reward.sum() == 1 and 15 < reward.argmax() < 28 and not seen.terminal.any()
    pictures = minatar.pictures(agent, np.asarray(seen.frames))
    fish = pictures[..., agent.game.channels.index("enemy_fish")].any(axis=(1, 2))
    assert fish.argmax() == 11 and not fish[reward.argmax() + 1 :].any()


def test_the_smoke_run_measures_what_the_claims_ask(dqn_smoke):
    _, _, result = dqn_smoke
    for name in ("chain_error", "breakout_random", "breakout_dqn_score", "breakout_value_rise"):
        assert np.isfinite(result.metrics[name]).all(), name
    assert {"breakout-dqn"} == result.history.keys()


def test_the_trained_map_and_the_untrained_one_are_of_the_same_states(dqn_smoke):
    """And of the same values; a network that has learned nothing sees them otherwise."""
    result = dqn_smoke[2]
    arrays, metrics = result.arrays, result.metrics
    value = arrays["breakout_tsne_value"]
    for network, name in (("", "agree"), ("_untrained", "untrained")):
        found = neighbours_agree(arrays[f"breakout_tsne{network}"], value)
        assert metrics[f"breakout_neighbours_{name}"][0] == pytest.approx(found)
    left = [1 - metrics[f"breakout_neighbours_{name}"][0] for name in ("agree", "untrained")]
    (gain,) = metrics["breakout_neighbours_gain"]
    assert (1 - gain) * left[1] == pytest.approx(left[0]) and gain != 0


# --- Atari -----------------------------------------------------------------------------------

TINY = replace(
    PRESETS["paper"],
    env=("ALE/Pong-v5",),
    network="2013",
    steps=64,
    batch=4,
    replay=200,
    replay_start=40,
    epsilon_steps=64,
    target_every=16,
    chunk=32,
    evaluate_every=64,
    episodes=2,
    most_steps=20,
    held_out=4,
)


class Folder(Watch):
    """Keeps the replay memory in a folder and remembers the rows."""

    def __init__(self, folder):
        self.rows, self._folder = [], folder

    def folder(self, training):
        return self._folder / training

    def chunk(self, training, step, state, row, *, last):
        self.rows.append(row)


def test_an_agent_trains_on_the_emulator(tmp_path):
    pytest.importorskip("ale_py", reason="needs the extra atari")
    watch = Folder(tmp_path)
    result = run(TINY, jax.random.key(0), load_data(TINY), watch)
    assert [row["step"] for row in watch.rows] == [8, 16]
    assert json.loads(json.dumps(watch.rows)) == watch.rows
    assert np.isfinite(result.metrics["atari_pong_dqn_score"]).all()
    assert result.data[0]["real"] and "atari_pong-dqn" in result.weights
    # The memory is there for a run that goes on.
    variant = full_agent(TINY)
    memory = atari.FrameMemory(
        TINY.replay, 1, variant.history, atari.SHAPE, tmp_path / "atari_pong-dqn-0"
    )
    assert memory.added == 40 + 64
    memory.close()


# --- play ------------------------------------------------------------------------------------


def test_play_writes_a_film_and_names_what_is_wrong(dqn_run, tmp_path, capsys):
    from PIL import Image

    play.main([str(dqn_run), "--steps", "20", "--out", str(tmp_path / "a.gif")])
    assert "score" in capsys.readouterr().out
    with Image.open(tmp_path / "a.gif") as film:
        assert 1 < film.n_frames <= 20
    for words, said in (
        (["--agent", "pong"], "has no agent 'pong'; it has breakout-dqn"),
        (["--out", "a.mp4"], "--out must end in .gif"),
        (["--steps", "0"], "--steps must be at least 1"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            play.main([str(dqn_run), *words])
    with pytest.raises(UserError, match="no such file"):
        play.main([str(tmp_path)])


def test_play_names_a_damaged_agent(dqn_run, tmp_path):
    import shutil

    folder = shutil.copytree(dqn_run, tmp_path / "run")
    path = folder / "weights-breakout-dqn.safetensors"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        play.main([str(folder)])
    path.unlink()
    with pytest.raises(UserError, match="holds no trained agent"):
        play.main([str(folder)])


@pytest.fixture(scope="module")
def dqn_run(dqn_smoke, tmp_path_factory):
    """The folder of a finished smoke run, as far as `play` needs it."""
    from lib.base.files import write_json
    from lib.base.weights import save_weights
    from lib.run.paper import load_paper
    from lib.run.result import first_seed

    config, _, result = dqn_smoke
    folder = tmp_path_factory.mktemp("dqn") / "run"
    folder.mkdir()
    identity = load_paper("experiments.dqn").identity(config)
    write_json(folder / "config.json", {"paper": "dqn", "config": identity})
    for name, (params, about) in result.weights.items():
        save_weights(folder / f"weights-{name}.safetensors", first_seed(params), about)
    return folder
