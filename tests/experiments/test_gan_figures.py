"""The GAN paper's figures and what they show, on one smoke run."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.gan.figures import FIGURES
from experiments.gan.theory import GRID, data_density


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, gan_smoke):
    figure = FIGURES[name].draw(gan_smoke[2])
    assert all(axis.has_data() or axis.texts for axis in figure.axes)


def test_figure_1_draws_the_density_of_the_data_and_d_in_every_panel(gan_smoke):
    figure = FIGURES["figure_1"].draw(gan_smoke[2])
    for axis in figure.axes[:4]:
        curves = {line.get_label(): line.get_ydata() for line in axis.lines}
        np.testing.assert_allclose(curves["data $p_{data}$"], np.asarray(data_density(GRID)))
        assert 0 <= curves["D trained"].min() and curves["D trained"].max() <= 1


def test_figure_2s_neighbour_is_the_training_image_nearest_to_the_last_sample_of_its_row(gan_smoke):
    _, data, result = gan_smoke
    images = data.train.astype(np.float64) / 255
    for row, neighbour in enumerate(result.arrays["nearest"]):
        sample = result.arrays["samples"][5 * row + 4].astype(np.float64)
        distances = ((images - sample) ** 2).sum(axis=1)
        found = ((neighbour - sample) ** 2).sum()
        np.testing.assert_allclose(found, distances.min(), rtol=1e-4)


def test_the_game_figure_marks_the_equilibrium(gan_smoke):
    value, answers = FIGURES["game"].draw(gan_smoke[2]).axes
    assert any(np.allclose(line.get_ydata(), -np.log(4)) for line in value.lines)
    assert any(np.allclose(line.get_ydata(), 0.5) for line in answers.lines)


def test_the_ring_figure_shows_every_stage_of_both_games(gan_smoke):
    config, _, result = gan_smoke
    figure = FIGURES["ring"].draw(result)
    assert len(figure.axes) == 2 * len(result.arrays["ring_updates"])
    assert result.arrays["ring_updates"][-1] == config.ring.steps
