"""DQN's figures, on the smoke run and on made-up results."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.dqn.figures import FIGURES, title
from experiments.dqn.show import colored, episode
from lib.run.result import Result


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_smoke_run_has_its_figures(dqn_smoke):
    result = dqn_smoke[2]
    drawn = {name: figure(result) for name, figure in FIGURES.items()}
    assert drawn["figure_2"] is not None and drawn["figure_4"] is not None
    assert len(drawn["playing"]) > 10
    assert drawn["table_3"] is None and drawn["table_4"] is None


def test_a_run_without_anything_has_none():
    assert all(figure(Result({})) is None for figure in FIGURES.values())


def made_up(variants) -> Result:
    rng = np.random.default_rng(0)
    history, arrays, metrics = {}, {}, {"breakout_random": [0.4]}
    for variant in variants:
        history[f"breakout-{variant}"] = [
            {"score": [t + 0.1, t + 0.5], "held_out_q": [t, t]} for t in range(5)
        ]
        arrays[f"breakout_{variant}_steps"] = np.arange(5) * 1_000
    for cell in ("dqn", "no_target", "no_replay", "neither"):
        metrics[f"breakout_table_{cell}"] = list(rng.uniform(size=2))
    return Result(metrics, history, arrays)


def test_the_table_of_replay_and_target_has_a_bar_a_cell():
    figure = FIGURES["table_3"](made_up(["dqn"]))
    axis = figure.axes[0]
    assert len(axis.patches) == 4 and axis.get_title() == "Breakout"


def test_studies_of_sight_have_a_panel_each():
    figure = FIGURES["table_4"](made_up(["dqn", "linear", "one_frame", "four_frames"]))
    assert [axis.get_title() for axis in figure.axes] == ["Breakout", "Breakout, motion hidden"]
    labels = [t.get_text() for t in figure.axes[1].get_legend().get_texts()]
    assert labels == ["four frames", "one frame"]


def test_the_scripted_stretch_shows_where_the_reward_falls():
    values = np.linspace(0, 1, 30)[None].repeat(2, axis=0)
    arrays = {
        "seaquest_scripted": np.zeros((30, 10, 10, 10), bool),
        "seaquest_scripted_value": values,
        "seaquest_scripted_reward": (np.arange(30) == 22).astype(float),
    }
    assert FIGURES["figure_3"](Result({}, arrays=arrays)) is None
    figure = FIGURES["figure_3_seaquest"](Result({}, arrays=arrays))
    assert [axis.get_title() for axis in figure.axes[:3]] == ["A", "B", "C"]
    assert {text.get_text() for text in figure.axes[3].texts} == {"A", "B", "C"}


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
