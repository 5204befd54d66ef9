"""What VDSR's claims compare: arms differ in what the claim says and in nothing else; nothing is trained."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from experiments.vdsr import analyses, experiment, images, training
from experiments.vdsr.claims import _BICUBIC
from experiments.vdsr.config import CLAIMS, PARTS, PRESETS, SCALES, Depths, Scales
from experiments.vdsr.images import Data, load_data
from lib.base.errors import UserError
from lib.data import load
from lib.run.claims import judge, summarise
from lib.run.keys import root_keys
from lib.run.loop import Trained
from lib.run.result import Result
from lib.run.watch import Watch

CONFIG = replace(PRESETS["smoke"], patch=12, scales=Scales(3, 30), depths=Depths((2, 3), 30))
REFERENCES = {"references": Result({f"bicubic_x{scale}": 30.0 for scale in SCALES})}


@pytest.fixture
def asked(monkeypatch):
    """`asked(part)`: the arguments of each training that the part asks for, by the training's name."""
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    data = Data([], [image], {"photographs": {"a": image}}, None, {})
    trainings, watch, signature = {}, Watch(), inspect.signature(training.train_network)

    def train_network(*args, **kwargs):
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        trainings[call.arguments["name"]] = call.arguments
        rows = [{"step": i, "psnr": [30.0]} for i in range(analyses.POINTS)]
        return Trained(type("State", (), {"params": {"conv1": {"bias": np.zeros((1, 4))}}}), rows)

    monkeypatch.setattr(analyses, "train_network", train_network)
    monkeypatch.setattr(analyses, "upscaler", lambda *args: lambda params, bicubic: bicubic)

    def asked(part):
        trainings.clear()
        part(CONFIG, root_keys((0,)), data, watch, REFERENCES)
        return dict(trainings)

    return asked


def differing(one, other):
    """The names of the arguments in which two trainings differ."""
    patches = [np.asarray(call["data"].corners).tolist() for call in (one, other)]
    rest = {n for n in one if n not in ("name", "data", "score", "keys") and one[n] != other[n]}
    return rest | ({"data"} if patches[0] != patches[1] else set())


def scales_of(call):
    """The scales of a training's patches: one image, so its planes are the scales in order."""
    return {SCALES[plane] for plane in np.asarray(call["data"].corners)[:, 0]}


def test_plain_and_residual_networks_differ_in_that_only(asked):
    trainings = asked(analyses.table_1)
    assert len(trainings) == 6
    for rate in CONFIG.residual.learning_rates:
        residual, plain = (trainings[f"{kind}-lr{rate:g}"] for kind in ("residual", "plain"))
        assert (residual["residual"], plain["residual"]) == (True, False)
        assert differing(residual, plain) == {"residual"}
        assert residual["first_rate"] == rate


def test_learning_rates_differ_in_that_only_and_follow_the_papers_rule(asked):
    trainings = asked(analyses.table_1)
    high, low = (trainings[f"residual-lr{rate}"] for rate in ("0.1", "0.001"))
    assert differing(high, low) == {"first_rate"}
    rule = [getattr(high["config"], name) for name in ("optimiser", "initialiser", "schedule")]
    assert rule == ["sgd", "he", "stages"] and scales_of(high) == {2}


def test_each_kind_is_scored_as_what_it_is(asked, monkeypatch):
    kinds = []
    monkeypatch.setattr(analyses, "upscaler", lambda *args: kinds.append(args[-1]))
    asked(analyses.table_1)
    assert kinds == [True, False]


@pytest.mark.parametrize("residual", [True, False])
def test_what_is_trained_is_the_kind_that_was_asked_for(residual, monkeypatch):
    nets = []
    monkeypatch.setattr(training, "make_step", lambda config, net: nets.append(net))
    monkeypatch.setattr(training, "initialise", lambda *args, **kwargs: None)
    monkeypatch.setattr(training, "train", lambda *args, **kwargs: None)
    data = training.make_patches(CONFIG, [np.zeros((24, 24), np.uint8)])
    keys, size = root_keys((0,)), {"steps": 1, "depth": 3, "width": 4}
    training.train_network("x", CONFIG, data, keys, Watch(), **size, residual=residual)
    assert [net.residual for net in nets] == [residual]


def test_networks_for_fewer_scales_differ_in_patches_and_have_as_many_epochs(asked):
    trainings = asked(analyses.table_2)
    whole = trainings["scales-2-3-4"]
    assert whole["steps"] == CONFIG.scales.steps and scales_of(whole) == {2, 3, 4}
    for scales in analyses.TRAINING_SCALES[:-1]:
        some = trainings["scales-" + "-".join(map(str, scales))]
        assert differing(some, whole) == {"data", "steps"}
        assert scales_of(some) == set(scales)
        assert some["steps"] * len(SCALES) == whole["steps"] * len(scales)


def test_deeper_networks_differ_in_depth_only_and_one_is_table_2s(asked):
    multi = asked(analyses.table_2)["scales-2-3-4"]
    trainings = asked(analyses.figure_3)
    assert trainings.keys() == {"depth-2", "scales-2-3-4"}
    shallow, deep = trainings.values()
    assert differing(shallow, deep) == {"depth"} and (shallow["depth"], deep["depth"]) == (2, 3)
    assert differing(deep, multi) == set()


def test_a_depth_of_another_length_than_table_2s_is_a_training_of_its_own(asked, monkeypatch):
    monkeypatch.setattr(f"{__name__}.CONFIG", replace(CONFIG, depths=Depths((2, 3), 20)))
    assert asked(analyses.figure_3).keys() == {"depth-2", "depth-3"}


# --- What claims make of arms that are equal ---------------------------------------------------


def null(claim):
    """What a claim's number is where every network is as good as bicubic and every arm like its other."""
    if claim.metric.startswith("ours_"):
        _, measure, dataset, scale = claim.metric.split("_")
        return _BICUBIC[dataset][int(scale[1:])][measure == "ssim"]
    return 0.2 if claim.metric == "learned_edge_energy" else 0.0  # noise lies anywhere


@pytest.mark.parametrize("preset", ["laptop", "paper"])
def test_no_result_holds_where_nothing_was_learned_and_arms_are_equal(preset):
    results = [claim for claim in CLAIMS if claim.kind == "result"]
    metrics = {c.baseline.metric: summarise([0.0, 0.0]) for c in results if c.baseline}
    metrics |= {claim.metric: summarise([null(claim)] * 2) for claim in results}
    sets = ("photographs", "set5", "set14", "bsd100", "urban100")
    data = dict.fromkeys(PARTS, [{"name": n, "split": "test", "real": True} for n in sets])
    rows = judge(results, metrics, preset, data)
    assert sum(row["verdict"] in ("fails", "undecided") for row in rows) >= 20
    assert not [row["id"] for row in rows if row["verdict"] == "holds"]


@pytest.mark.parametrize("rate", ["0.1", "0.01", "0.001"])
def test_a_plain_network_below_bicubic_decides_nothing(rate):
    claims = [c for c in CLAIMS if c.id.startswith(f"residual-lr{rate}")]
    metrics = {claim.metric: summarise([20.0, 20.0]) for claim in claims}
    verdicts = []
    for gain in (-0.1, 0.1):
        metrics[f"plain_gain_lr{rate}"] = summarise([gain, gain])
        verdicts.append({r["verdict"] for r in judge(claims, metrics, "laptop", {"table_1": []})})
    assert verdicts == [{"undecided"}, {"holds"}]


# --- What is loaded ----------------------------------------------------------------------------


@pytest.fixture
def loaded(monkeypatch):
    """The sets that are asked for, `(names, split)` each."""
    calls = []

    def load_sets(names, split, data_dir):
        calls.append((tuple(names), split))
        return []

    monkeypatch.setattr(images, "load_sets", load_sets)
    return calls


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ("references", {("set5", "test")}),
        ("table_3", {("bsd200", "train"), ("set5", "test")}),
        ("figure_5", {("set5", "test")}),
        ("table_1", {("t91", "train"), ("set5", "test")}),
    ],
)
def test_a_part_loads_what_it_needs(part, wanted, loaded):
    config = replace(CONFIG, train=("bsd200",), analysed=("t91",), test=("set5",))
    data = load_data(config, only=PARTS[part].data)
    assert {(name, split) for names, split in loaded for name in names} == wanted
    assert data.authors is None and set(data.about) == set(images.SOURCES)


def test_without_a_choice_all_is_loaded_and_what_is_the_same_once(loaded):
    load_data(CONFIG)
    assert sorted(loaded) == [(("photographs[:1]",), "test"), (("photographs[:3]",), "train")]


def test_the_authors_file_is_found_in_a_folder_and_taken_as_it_is(tmp_path):
    with pytest.raises(UserError, match=r"holds not one VDSR_Official.mat, but none"):
        images.authors_file(tmp_path)
    file = tmp_path / "weights" / "VDSR" / "VDSR_Official.mat"
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / "weights" / "x3.mat").touch()
    assert images.authors_file(tmp_path) == images.authors_file(file) == file
    (tmp_path / "VDSR_mine.mat").touch()
    with pytest.raises(UserError, match="but VDSR_mine.mat, weights/VDSR/VDSR_Official.mat"):
        images.authors_file(tmp_path)
    config = replace(CONFIG, weights=str(tmp_path / "weights"))
    with pytest.raises(UserError, match="VDSR_Official.mat is not the authors' VDSR"):
        load_data(config, only={"authors"})


def test_patches_are_cut_once_for_parts_of_the_same_images():
    image = np.zeros((24, 24), np.uint8)
    data = Data([image], [image], {}, None, {})
    first = images.training_patches(CONFIG, data, "train")
    assert images.training_patches(CONFIG, data, "analysed") is first
    other = replace(CONFIG, analysed=("t91",))
    assert (
        images.training_patches(other, replace(data, analysed=[image, image]), "analysed")
        is not first
    )


def test_the_weights_that_come_with_the_paper_beat_bicubic_at_every_scale():
    image = load("photographs", "test").arrays["coffee"][200:296, 200:296]
    data = Data([], [], {"photographs": {"a": image}}, None, {})
    metrics = experiment.kept_weights(CONFIG, None, data, Watch(), {}).metrics
    bicubic = experiment.references(CONFIG, None, data, Watch(), {}).metrics
    claimed = {
        c.metric.replace(c.dataset, "photographs") for c in CLAIMS if c.part == "kept_weights"
    }
    assert metrics.keys() == claimed
    for name, value in metrics.items():
        assert value > bicubic[name.replace("kept", "bicubic")], name
