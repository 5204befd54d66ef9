"""The neural style paper's figures and what they show, on one smoke run."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.neural_style.figures import FIGURES


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, neural_style_smoke):
    figure = FIGURES[name].draw(neural_style_smoke[2])
    assert any(axis.images or axis.lines for axis in figure.axes)


def test_figure_1_goes_from_the_first_layer_to_the_last(neural_style_smoke):
    config, data, result = neural_style_smoke
    titles = [axis.get_title() for axis in FIGURES["figure_1"].draw(result).axes]
    layers = data.network.layers.style
    assert titles[:2] == ["artwork", layers[0]] and titles[5] == f"{layers[0]} to {layers[-1]}"
    assert [title.split(",")[0] for title in titles[7:]] == list(layers)
    psnr = result.metrics["reconstruction_psnr_a"][0]
    assert titles[7] == f"{layers[0]}, {psnr:.1f} dB"


def test_figure_2_has_each_artwork_above_the_photograph_in_its_style(neural_style_smoke):
    config, _, result = neural_style_smoke
    axes = FIGURES["figure_2"].draw(result).axes
    columns = len(config.styles) + 1
    for i in range(1, columns):
        artwork, styled = axes[i], axes[columns + i]
        np.testing.assert_array_equal(
            artwork.images[0].get_array(), result.arrays[f"artwork_{i - 1}"]
        )
        np.testing.assert_array_equal(
            styled.images[0].get_array(), result.arrays[f"styled_{i - 1}"]
        )


def test_figure_3_has_layers_downwards_and_ratios_to_the_right(neural_style_smoke):
    config, _, result = neural_style_smoke
    axes = FIGURES["figure_3"].draw(result).axes
    columns = len(config.ratios)
    assert len(axes) == 5 * columns
    assert [axis.get_title() for axis in axes[:columns]] == ["α/β = 1e−4", "α/β = 1e−2"]
    np.testing.assert_array_equal(axes[-1].images[0].get_array(), result.arrays["grid_4_1"])


def test_the_losses_have_a_curve_a_layer_and_a_curve_an_optimiser(neural_style_smoke):
    _, data, result = neural_style_smoke
    left, right = FIGURES["losses"].draw(result).axes
    assert len(left.lines) == 1 + len(data.network.layers.style)
    labels = [line.get_label() for line in right.lines]
    assert labels[0] == "L-BFGS" and len(labels) == 4
    rows = result.history["lbfgs-squeezenet1_1"]
    evaluations = sum(row["evaluations"][0] for row in rows) * rows[0]["step"]
    assert right.lines[0].get_xdata()[-1] == pytest.approx(evaluations)
