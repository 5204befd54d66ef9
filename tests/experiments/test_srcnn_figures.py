"""The SRCNN paper's figures and what they show, on one smoke run as it is read back from disk."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.srcnn.ablations import STRATEGIES
from experiments.srcnn.config import PARTS
from experiments.srcnn.crops import CORNERS
from experiments.srcnn.figures import FIGURES
from lib.batches.super_resolution import pair
from lib.metrics.super_resolution import shaved_psnr
from lib.ops.color import rgb_to_ycbcr
from lib.run.loop import member
from lib.run.result import Result, load_part, save_part

WINDOW = np.s_[90:186, 170:266]
"""Of the astronaut."""


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def result(srcnn_smoke, tmp_path_factory):
    """What the run's folder has of it."""
    folder = tmp_path_factory.mktemp("run") / "all"
    save_part(folder, srcnn_smoke[2], {})
    whole = load_part(folder)[0]
    rows = whole.history["5-1-3-x3"]  # a smoke run has no studies
    return dataclasses.replace(whole, history=whole.history | dict.fromkeys(STUDIED, rows))


ARRAYS = {"sparse_coding": "sparse_", "repeated": "repeated_", "ill_posed": "twin_"}
STUDIED = ("data-small", "data-large", "layers-5-1-3", "layers-5-1-1-3")
HISTORY = {"section_4_3_2": ("5-1-3-x3",), "table_2": ("5-3-3-x2", "5-3-3-x3")}
HISTORY |= {"section_4_1": STUDIED[:2], "section_4_3_3": STUDIED[2:]}


def of_parts(result, parts):
    """What these parts alone found."""
    begins = tuple(ARRAYS[part] for part in parts if part in ARRAYS)
    begins += ("crop_", "filters", "feature_maps") if "figure_14" in parts else ()
    metrics = {n: v for n, v in result.metrics.items() if any(PARTS[p].makes(n) for p in parts)}
    arrays = {n: x for n, x in result.arrays.items() if n.startswith(begins)}
    trainings = [name for part in parts for name in HISTORY.get(part, ())]
    return Result(metrics, {name: result.history[name] for name in trainings}, arrays)


def pictures(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.images]


def curves(axis):
    return {line.get_label(): line for line in axis.lines}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_the_results_of_its_parts(name, result):
    figure = FIGURES[name].draw(of_parts(result, FIGURES[name].parts))
    drawn = [axis for axis in figure.axes if axis.axison or axis.images]
    assert drawn and all(axis.has_data() for axis in drawn)
    figure.canvas.draw()


def test_studies_have_an_axis_each_and_networks_a_curve_each(result):
    figure = FIGURES["section_4"].draw(of_parts(result, ("section_4_1", "section_4_3_3")))
    assert [axis.get_title() for axis in figure.axes] == ["training images", "layers"]
    assert [curves(axis).keys() for axis in figure.axes] == [
        {"small", "large"},
        {"5-1-3", "5-1-1-3"},
    ]
    assert FIGURES["section_4"].draw(of_parts(result, ("bicubic",))) is None


def test_figure_1_draws_the_learning_curve_and_the_levels_that_it_is_to_cross(result):
    axis = next(axis for axis in FIGURES["figure_1"].draw(result).axes if axis.get_xlabel())
    lines = curves(axis)
    assert lines.keys() == {"SRCNN 5-3-3", "bicubic", "sparse coding"}
    rows = result.history["5-3-3-x3"]
    np.testing.assert_array_equal(lines["SRCNN 5-3-3"].get_xdata(), [30, 60])
    np.testing.assert_allclose(lines["SRCNN 5-3-3"].get_ydata(), [r["psnr"][0] for r in rows])
    for label, method in (("bicubic", "bicubic"), ("sparse coding", "sparse")):
        level = result.metrics[f"{method}_psnr_photographs_x3"]
        np.testing.assert_allclose(lines[label].get_ydata(), level)
    assert axis.get_title() == "photographs, ×3, mean over images"


def test_figure_5_shows_every_filter_from_black_to_white_the_widest_first(result):
    filters = result.arrays["filters"]
    (sheet,) = pictures(FIGURES["figure_5"].draw(result))
    assert sheet.shape == (5, 16 * 6 - 1)
    order = np.argsort(-filters.var(axis=(0, 1)))
    for place, which in enumerate(order):
        shown = sheet[:, 6 * place : 6 * place + 5]
        assert (shown.min(), shown.max()) == (0, 1)
        low, high = filters[..., which].min(), filters[..., which].max()
        np.testing.assert_allclose(shown, (filters[..., which] - low) / (high - low), atol=1e-6)


def test_figure_6_shows_what_the_filters_find_in_the_crop(srcnn_smoke, result):
    config, data, found = srcnn_smoke
    y = pair(data.test["photographs"]["astronaut"], 3).bicubic[WINDOW][..., 0]
    layer = member(found.weights["x3"][0], 0)["conv1"]
    np.testing.assert_array_equal(layer["kernel"][:, :, 0], result.arrays["filters"])
    windows = np.lib.stride_tricks.sliding_window_view(y, (5, 5))
    maps = np.einsum("yxij,ijc->yxc", windows, layer["kernel"][:, :, 0]) + layer["bias"]
    maps = np.maximum(maps, 0)
    np.testing.assert_allclose(result.arrays["feature_maps"], maps, atol=1e-4)
    shown = pictures(FIGURES["figure_6"].draw(result))
    assert len(shown) == 8 and all(x.shape == (92, 92) and x.max() <= 1 for x in shown)


def test_figure_7_has_a_curve_and_a_point_a_network(result):
    curve, times = FIGURES["figure_7"].draw(result).axes
    lines = curves(curve)
    for sizes in ("5-1-3", "5-3-3"):
        rows = [row["psnr"][0] for row in result.history[f"{sizes}-x3"]]
        np.testing.assert_allclose(lines[sizes].get_ydata(), rows)
    assert sorted(text.get_text() for text in times.texts) == ["5-1-3", "5-3-3"]
    points = sorted(line.get_ydata()[0] for line in times.lines if line.get_marker() == "o")
    name = "filters_{}_psnr_photographs_x3"
    wanted = sorted(result.metrics[name.format(sizes)][0] for sizes in ("5-1-3", "5-3-3"))
    np.testing.assert_allclose(points, wanted)


def test_table_5_has_a_row_a_strategy_and_a_panel_a_channel(result):
    figure = FIGURES["table_5"].draw(result)
    assert [axis.get_title() for axis in figure.axes] == ["Y", "Cb", "Cr", "RGB"]
    for axis, channel in zip(figure.axes, ("y", "cb", "cr", "rgb"), strict=True):
        found = {
            -line.get_ydata()[0]: line.get_xdata()[0]
            for line in axis.lines
            if line.get_marker() == "o"
        }
        wanted = [result.metrics[f"color_bicubic_{channel}"]]
        wanted += [result.metrics[f"color_{s}_{channel}"][0] for s in STRATEGIES]
        np.testing.assert_allclose([found[row] for row in range(6)], wanted)


@pytest.mark.parametrize("name", ["figure_1", "figure_14"])
def test_crops_show_the_same_window_by_each_method(name, srcnn_smoke, result):
    image = srcnn_smoke[1].test["photographs"]["astronaut"]
    assert CORNERS["astronaut"] == (90, 170) and str(result.arrays["crop_0_name"]) == "astronaut"
    figure = FIGURES[name].draw(result)
    bicubic, sparse, ours, truth = pictures(figure)
    np.testing.assert_array_equal(truth, image[WINDOW])
    made = pair(image, 3, "ycbcr").bicubic[WINDOW]
    for shown in (bicubic, sparse, ours):
        assert shown.shape == (96, 96, 3)
        unclipped = np.all((shown > 0) & (shown < 1), axis=2)
        assert unclipped.mean() > 0.9
        found, wanted = rgb_to_ycbcr(np.asarray(shown))[unclipped], made[unclipped]
        np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], atol=1e-5)
        assert np.allclose(found[:, 0], wanted[:, 0], atol=1e-5) == (shown is bicubic)
    assert titles(figure) == [
        *(
            f"{words}, {np.mean(result.metrics[f'{method}_psnr_photographs_x3']):.2f} dB"
            for method, words in (
                ("bicubic", "bicubic"),
                ("sparse", "sparse coding"),
                ("ours", "SRCNN"),
            )
        ),
        "truth (astronaut)",
    ]


def test_the_decibels_of_a_crop_are_the_whole_images(srcnn_smoke, result):
    made = pair(srcnn_smoke[1].test["photographs"]["astronaut"], 3)
    wanted = float(shaved_psnr(made.bicubic, made.truth, 3))
    assert float(result.arrays["crop_0_bicubic_psnr"]) == pytest.approx(wanted)


def test_the_repeated_figure_shows_each_doubling_below_bicubic_at_once(srcnn_smoke, result):
    figure = FIGURES["repeated"].draw(result)
    shown, said = pictures(figure), titles(figure)
    assert len(shown) == 9 and all(x.shape == (240, 240) for x in shown)
    for n, factor in enumerate((2, 4, 8, 16)):
        assert f"bicubic ×{factor}" in said
        gain = result.metrics[f"repeated_gain_x{factor}"][0]
        times = "once" if n == 0 else f"{n + 1} times"
        assert f"SRCNN ×2, {times}\n{gain:+.2f} dB" in said
    truth = result.arrays["repeated_truth"]
    errors = [
        np.square(result.arrays[f"repeated_bicubic_x{f}"] - truth).mean() for f in (2, 4, 8, 16)
    ]
    assert errors == sorted(errors), "the further, the blurrier"


def test_the_ill_posed_figure_shows_both_images_and_what_they_share(result):
    one, other, small, answer = pictures(FIGURES["ill_posed"].draw(result))
    assert one.shape == other.shape == answer.shape == (96, 96) and small.shape == (32, 32)
    assert np.abs(one - other).max() > 0.15
    for picture in (one, other, small):
        assert 0 <= picture.min() and picture.max() <= 1
