"""DQN's figures, on the smoke run and on made-up results."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.dqn.figures import FIGURES, title
from lib.plots.film import colored, episode
from lib.run.result import Result


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_smoke_run_has_its_figures(dqn_smoke):
    result = dqn_smoke[2]
    there = {name: figure for name, figure in FIGURES.items() if set(figure.parts) <= {"breakout"}}
    drawn = {name: figure.draw(result) for name, figure in there.items()}
    kinds = ("figure_2", "figure_3", "figure_4", "playing")
    assert drawn.keys() == {f"{kind}_breakout" for kind in kinds}
    assert drawn["figure_2_breakout"] is not None and drawn["figure_4_breakout"] is not None
    assert len(drawn["playing_breakout"]) > 10


def made_up(variants, games=("breakout",)) -> Result:
    rng = np.random.default_rng(0)
    history, arrays, metrics = {}, {}, {}
    for game in games:
        metrics[f"{game}_random"] = 0.4
        for variant in variants:
            history[f"{game}-{variant}"] = [
                {"score": [t + 0.1, t + 0.5], "held_out_q": [t, t]} for t in range(5)
            ]
            arrays[f"{game}_{variant}_steps"] = np.arange(5) * 1_000
        for cell in ("dqn", "no_target", "no_replay", "neither"):
            metrics[f"{game}_table_{cell}"] = list(rng.uniform(size=2))
    return Result(metrics, history, arrays)


def test_every_game_has_its_curves_and_four_stand_side_by_side():
    assert FIGURES["figure_2_atari_pong"].parts == ("atari_pong",)
    others = FIGURES["figure_2_others"]
    figure = others.draw(made_up(["dqn"], others.parts))
    titles = [axis.get_title() for axis in figure.axes[:4]]
    assert titles == ["Space Invaders", "Asterix", "Freeway", "Seaquest"]


def test_the_table_of_replay_and_target_has_a_bar_a_cell():
    assert FIGURES["table_3_breakout"].parts == ("breakout", "table_3_breakout")
    axis = FIGURES["table_3_breakout"].draw(made_up(["dqn"])).axes[0]
    assert len(axis.patches) == 4 and axis.get_title() == "Breakout"


@pytest.mark.parametrize(
    "name, parts, title, labels",
    [
        ("table_4", {"breakout", "table_4_breakout"}, "Breakout", ["convolutional", "linear"]),
        ("history", {"history_breakout"}, "Breakout, motion hidden", ["four frames", "one frame"]),
    ],
)
def test_studies_of_sight_show_two_agents(name, parts, title, labels):
    drawn = FIGURES[f"{name}_breakout"]
    assert set(drawn.parts) == parts
    (axis,) = drawn.draw(made_up(["dqn", "linear", "one_frame", "four_frames"])).axes
    assert axis.get_title() == title
    assert [t.get_text() for t in axis.get_legend().get_texts()] == labels


def test_the_scripted_stretch_shows_where_the_reward_falls():
    values = np.linspace(0, 1, 30)[None].repeat(2, axis=0)
    arrays = {
        "seaquest_scripted": np.zeros((30, 10, 10, 10), bool),
        "seaquest_scripted_value": values,
        "seaquest_scripted_reward": (np.arange(30) == 22).astype(float),
    }
    figure = FIGURES["figure_3_seaquest"].draw(Result({}, arrays=arrays))
    assert [axis.get_title()[:2] for axis in figure.axes[:3]] == ["A:", "B:", "C:"]
    assert {text.get_text() for text in figure.axes[3].texts} == {"A", "B", "C"}
    never = {name.replace("seaquest", "freeway"): 0 * array for name, array in arrays.items()}
    assert FIGURES["figure_3_freeway"].draw(Result({}, arrays=never)) is None


def test_the_agents_own_stretch_is_one_of_one_game():
    """The first strike that stands alone lies in a game that ends too soon, the second does not."""
    t = np.arange(200)
    arrays = {
        "breakout_played": np.zeros((200, 10, 10, 4), bool),
        "breakout_played_q": np.stack([0 * t, t], axis=1),
        "breakout_played_reward": np.isin(t, (40, 120)).astype(float),
        "breakout_played_over": t == 45,
    }
    figure = FIGURES["figure_3_breakout"].draw(Result({}, arrays=arrays))
    (line,) = [line for line in figure.axes[3].get_lines() if len(line.get_xdata()) > 2]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(90, 134))
    np.testing.assert_array_equal(line.get_ydata(), np.arange(44))


def test_a_film_has_a_picture_a_step():
    screens = colored(np.eye(10, dtype=bool)[None, ..., None].repeat(4, axis=0))
    assert screens.shape == (4, 10, 10, 3) and screens[0, 0, 0].any() and not screens[0, 0, 1].any()
    film = episode(screens, np.array([0.0, 1, 0, 2]), np.array([0.0, 0, 1, 0]))
    assert len(film) == 4
    tall = episode(np.zeros((2, 210, 160, 3), np.uint8), np.zeros(2), np.zeros(2))
    assert len(tall) == 2


def test_titles():
    assert title("space_invaders") == "Space Invaders"
    assert title("atari_qbert") == "Q*bert (Atari)"
    assert title("atari_montezuma_revenge") == "Montezuma Revenge (Atari)"
