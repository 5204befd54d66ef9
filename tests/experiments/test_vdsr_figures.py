"""The VDSR paper's figures and what they show, on one smoke run."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.vdsr.figures import FIGURES
from lib.run.result import Result


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, vdsr_smoke):
    result = vdsr_smoke[2]
    if name == "figures_6_7_kept":  # of a part that a smoke run leaves out
        result = Result({}, arrays={f"kept_{of}": array for of, array in result.arrays.items()})
    figure = FIGURES[name].draw(result)
    assert all(axis.has_data() or axis.texts for axis in figure.axes)


def test_figure_3_has_a_point_a_depth_and_the_level_of_bicubic(vdsr_smoke):
    config, _, result = vdsr_smoke
    for axis, scale in zip(FIGURES["figure_3"].draw(result).axes, (2, 3, 4), strict=True):
        curves = {line.get_label(): line for line in axis.lines}
        assert curves["VDSR"].get_xdata().tolist() == list(config.depths.depths)
        level = result.metrics[f"bicubic_x{scale}"]
        assert np.allclose(curves["bicubic"].get_ydata(), level)


def test_figure_4_has_a_panel_a_learning_rate_the_highest_first(vdsr_smoke):
    figure = FIGURES["figure_4"].draw(vdsr_smoke[2])
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [f"learning rate {rate}" for rate in ("0.1", "0.01", "0.001")]


def test_table_2_shows_psnr_and_in_bold_what_was_trained_for(vdsr_smoke):
    _, _, result = vdsr_smoke
    texts = FIGURES["table_2"].draw(result).axes[0].texts
    assert len(texts) == 3 * 8
    bold = [text.get_text() for text in texts if text.get_weight() == "bold"]
    assert len(bold) == 3 * 4
    first = result.metrics["bicubic_x2"] + result.metrics["trained_2_gain_x2"][0]
    assert texts[0].get_text() == f"{first:.2f}"
