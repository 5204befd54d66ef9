"""The Neural Turing Machine paper's figures on a made-up result: nothing is trained."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from experiments.ntm.figures import FIGURES
from experiments.ntm.pictures import locations_in_use
from lib.plots.style import FRAME_MS, save
from lib.run.result import Result

ROWS, WIDTH = 16, 3
NTMS = {"feedforward": 2, "lstm": 1}
"""Heads of each kind."""
TASK_OF = {
    "copy": ("figure_3", "figure_4", "figure_5", "figure_6", "generalisation", "heads"),
    "repeat_copy": ("figure_7", "figure_8", "figure_9"),
    "associative_recall": ("figure_10", "figure_11", "figure_12"),
    "ngrams": ("figure_13", "figure_14", "figure_15"),
    "priority_sort": ("figure_16", "figure_17", "figure_18"),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def one_hot(places, rows=ROWS):
    return np.eye(rows)[np.asarray(places) % rows]


def sequence(name, inputs, targets, scored):
    """Arrays of one sequence: answers, and heads that step on by one."""
    rng, steps = np.random.default_rng(0), len(inputs)
    arrays, given = {}, {"inputs": inputs, "targets": targets, "scored": scored}
    for kind in (*NTMS, "baseline"):
        arrays |= {f"{name}_{kind}_{what}": value for what, value in given.items()}
        arrays[f"{name}_{kind}_outputs"] = rng.uniform(size=targets.shape)
    for kind, heads in NTMS.items():
        arrays[f"{name}_{kind}_weightings"] = np.stack([one_hot(np.arange(steps))] * 2 * heads, 1)
        arrays[f"{name}_{kind}_memory"] = rng.normal(size=(steps, ROWS, WIDTH))
        for what in ("reads", "erased", "added"):
            arrays[f"{name}_{kind}_{what}"] = rng.normal(size=(steps, heads, WIDTH))
    return arrays


def bits(*shape):
    return np.random.default_rng(1).integers(0, 2, shape).astype(float)


def half(steps, answered):
    return (np.arange(steps) >= steps - answered).astype(float)


def made_up(tasks=tuple(TASK_OF), models=(*NTMS, "baseline")) -> Result:
    metrics, history, arrays = {}, {}, {}
    for task in tasks:
        for n, model in enumerate(models):
            steps = (10, 20, 30, 40)
            rows = [{"step": n, "sequences": 4 * n, "bits": [9.0, 9.0]} for n in steps]
            rows[1]["validation"], rows[3]["validation"] = [8.0, 9.0], [2.0, 4.0]
            history[f"{task}-{model}"] = rows
            metrics[f"{task}_{model}_bits"] = [1.0 + n, 2.0]
    if "copy" in tasks:
        arrays |= {f"copy_{m}_trained_up_to": np.array(3) for m in models}
        for length in (2, 3, 6):
            steps = 2 * length + 1
            arrays |= sequence(
                f"copy_{length}", bits(steps, 5), bits(steps, 4), half(steps, length)
            )
            metrics |= {f"copy_{m}_wrong_{length}": [0.1 * length, 0.2] for m in models}
    if "repeat_copy" in tasks:
        for length, repeats in ((2, 3), (4, 3), (2, 6)):
            steps, asked = length * (repeats + 1) + 2, length * repeats + 1
            name = f"repeat_copy_{length}x{repeats}"
            arrays |= sequence(name, bits(steps, 6), bits(steps, 5), half(steps, asked))
    if "associative_recall" in tasks:
        arrays |= {f"associative_recall_{m}_trained_up_to": np.array(3) for m in models}
        arrays |= sequence("associative_recall", bits(20, 6), bits(20, 4), half(20, 3))
        for items in (3, 5):
            metrics |= {f"associative_recall_{m}_bits_{items}": [1.0, items] for m in models}
    if "ngrams" in tasks:
        arrays |= sequence("ngrams", bits(30, 1), bits(30, 1), np.ones(30))
        arrays |= {"ngrams_context": np.array(2), "ngrams_optimal": np.full(30, 0.5)}
        metrics["ngrams_optimal_validation_bits"] = 3.0
    if "priority_sort" in tasks:
        shown, asked = 5, 4
        inputs = np.zeros((shown + 1 + asked, 6))
        inputs[:shown, :4], inputs[shown, 5] = bits(shown, 4), 1
        inputs[:shown, 4] = (-0.5, 0.75, 0.25, -0.25, 0.5)
        arrays |= sequence("priority_sort", inputs, bits(len(inputs), 4), half(len(inputs), asked))
    absent = set((*NTMS, "baseline")) - set(models)
    arrays = {n: a for n, a in arrays.items() if not any(f"_{m}_" in n for m in absent)}
    return Result(metrics, history, arrays)


@pytest.fixture(scope="module")
def result():
    return made_up()


def test_every_figure_of_the_paper_has_its_task():
    assert sorted(sum(TASK_OF.values(), ())) == sorted(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, result, tmp_path):
    figure = FIGURES[name].draw(result)
    if name != "heads":
        assert all(axis.has_data() for axis in figure.axes)
    save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize("task", TASK_OF)
def test_a_run_of_one_task_has_that_tasks_figures_and_no_others(task):
    alone = made_up(tasks=(task,))
    drawn = [name for name, figure in FIGURES.items() if figure.draw(alone) is not None]
    assert sorted(drawn) == sorted(TASK_OF[task])


def test_without_the_ntm_nothing_shows_a_memory():
    alone = made_up(models=("baseline",))
    drawn = {name for name, figure in FIGURES.items() if figure.draw(alone) is not None}
    assert set(FIGURES) - drawn == {
        *("figure_4", "figure_6", "figure_9", "figure_12", "figure_15", "figure_17", "heads")
    }


def test_without_the_baseline_only_its_own_figure_is_missing():
    alone = made_up(models=("lstm",))
    missing = [name for name, figure in FIGURES.items() if figure.draw(alone) is None]
    assert missing == ["figure_5"]


def test_learning_curves_count_sequences_and_show_the_median_over_seeds(result):
    (axis,) = FIGURES["figure_3"].draw(result).axes
    median, *seeds = axis.lines[:3]
    assert median.get_xdata().tolist() == [0.08, 0.16]
    assert median.get_ydata().tolist() == [8.5, 3.0]
    assert [line.get_ydata().tolist() for line in seeds] == [[8.0, 2.0], [9.0, 4.0]]
    assert axis.get_ylim() == (0, 10)


def test_learning_curves_reach_up_to_where_training_ended(result):
    bad = made_up(tasks=("copy",))
    bad.history["copy-baseline"][3]["validation"] = [60.0, 80.0]
    assert FIGURES["figure_3"].draw(bad).axes[0].get_ylim() == pytest.approx((0, 88))


def test_the_share_of_wrong_bits_is_drawn_at_the_lengths_tested(result):
    (axis,) = FIGURES["generalisation"].draw(result).axes
    assert axis.lines[0].get_xdata().tolist() == [2, 3, 6]
    assert np.allclose(axis.lines[0].get_ydata(), [0.2, 0.25, 0.4])
    (band,) = [patch for patch in axis.patches if patch.get_label() == "trained on"]
    assert band.get_x() + band.get_width() == 3


def test_figure_4_shows_targets_above_the_answers_at_scored_steps_alone(result):
    figure = FIGURES["figure_4"].draw(result)
    last = figure.axes[-1].images[0].get_array()
    scored = result.arrays["copy_6_feedforward_scored"] > 0
    assert last.shape == (4 + 1 + 4, 6)
    assert np.array_equal(last[:4], result.arrays["copy_6_feedforward_targets"][scored].T)
    assert np.array_equal(last[5:], result.arrays["copy_6_feedforward_outputs"][scored].T)


def test_figure_13_has_the_level_of_the_optimal_estimator(result):
    lines = {line.get_label(): line for line in FIGURES["figure_13"].draw(result).axes[0].lines}
    assert np.allclose(lines["optimal estimator"].get_ydata(), 3.0)


def test_figure_15_marks_the_steps_after_the_commonest_contexts(result):
    marks = [
        line
        for line in FIGURES["figure_15"].draw(result).axes[-1].lines
        if line.get_marker() == "^"
    ]
    bit = result.arrays["ngrams_lstm_targets"][:, 0].astype(int)
    assert len(marks) == 2
    for line in marks:
        context = line.get_label().removeprefix("after ")
        at = [t for t in range(2, 30) if f"{bit[t - 2]}{bit[t - 1]}" == context]
        assert line.get_xdata().tolist() == at


def test_figure_17_fits_the_line_across_the_end_of_the_ring(result):
    written = made_up(tasks=("priority_sort",))
    priorities = written.arrays["priority_sort_feedforward_inputs"][:5, 4]
    places = np.round(15 + 5 * priorities).astype(int)
    weightings = written.arrays["priority_sort_feedforward_weightings"]
    weightings[:5, 2] = one_hot([3, 9, 4, 4, 0])
    weightings[:5, 3] = one_hot(places)
    axis, heads, _ = FIGURES["figure_17"].draw(written).axes
    (points,) = axis.collections
    np.testing.assert_allclose(points.get_offsets(), np.stack([priorities, places % ROWS], axis=1))
    slope = np.diff(axis.lines[0].get_ydata()) / 2
    assert abs(slope - 5) <= 0.5
    assert heads.get_title().startswith("head 2 writes")
    apart = (heads.lines[0].get_ydata() - places + ROWS / 2) % ROWS - ROWS / 2
    assert np.abs(apart).max() <= 1


def test_locations_are_shown_in_the_order_of_the_ring_without_those_unused():
    scored = np.arange(5) > 2
    weightings = np.zeros((5, 2, ROWS))
    weightings[:3, 1] = one_hot([15, 0, 1])
    weightings[3:, 0] = one_hot([15, 0])
    weightings[3:, 1] = weightings[:3, 0] = one_hot(8)
    assert locations_in_use(weightings, scored, margin=1).tolist() == [14, 15, 0, 1, 2]
    nowhere = np.full((5, 2, ROWS), 1 / ROWS)
    assert locations_in_use(nowhere, scored, margin=1).tolist() == list(range(ROWS))


def test_the_animation_has_a_picture_a_step_and_stays_at_the_end(result, tmp_path):
    frames = FIGURES["heads"].draw(result)
    assert len(frames) == len(result.arrays["copy_3_lstm_inputs"])
    save(frames, tmp_path / "heads.png")
    with Image.open(tmp_path / "heads.png") as picture:
        assert picture.n_frames == len(frames)
        assert picture.info["duration"] == FRAME_MS
        for n, frame in enumerate(frames):
            picture.seek(n)
            assert np.array_equal(np.asarray(picture.convert("RGB")), np.asarray(frame))
        assert picture.info["duration"] > FRAME_MS
