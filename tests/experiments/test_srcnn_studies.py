"""SRCNN's studies of one network, and A+: what the arms share, and what differs."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import skimage.data

from experiments.srcnn import anchored, claims, experiment, sparse_coding, studies
from experiments.srcnn.config import PARTS, PRESETS, Studies
from experiments.srcnn.data import Data, load_data
from lib.batches.super_resolution import pair
from lib.metrics.super_resolution import shaved_psnr
from lib.run.keys import root_keys
from lib.run.loop import Trained
from lib.run.result import Result
from lib.run.watch import Watch
from lib.steps.supervised import init_state

CROPS = [skimage.data.camera()[100:196, 180:276], skimage.data.astronaut()[20:116, 180:276]]
TINY = dataclasses.replace(
    PRESETS["smoke"], optimiser="sgd", learning_rate=1e-4, last_learning_rate=3e-5, widths=(6, 4)
)
NEEDS = {"bicubic": Result({"bicubic_psnr_set_x3": 20.0})}
DATA = Data(
    CROPS[:1], {"set": {"a": CROPS[1][:48, :48, 0]}}, [], {}, {"small": CROPS[:1], "large": CROPS}
)
REACHED = {"data-large": 25.0, "last-tenth": 24.0, "filters-8-4": 23.0, "layers-5-1-1-3": 22.0}
"""In dB; the other networks reach 21."""


@pytest.fixture
def trainings(monkeypatch):
    """What `train_network` is asked for; the networks "reach" what `REACHED` says."""
    asked = {}

    def train_network(name, config, data, keys, watch, **others):
        asked[name] = others | {"config": config, "data": data, "keys": keys}
        params = {"level": jnp.full(len(keys), REACHED.get(name, 21.0))}
        history = [{"step": config.steps, "psnr": [21.0] * len(keys)}]
        return Trained(init_state(params, optax.sgd(0.1)), history)

    monkeypatch.setattr(studies, "train_network", train_network)
    monkeypatch.setattr(studies, "upscaler", lambda *about: lambda params, b: params["level"])
    monkeypatch.setattr(studies, "mean_psnr", lambda upscale, images: float(upscale(None)))
    return asked


def of(name, **studied):
    config = dataclasses.replace(TINY, studies=dataclasses.replace(TINY.studies, **studied))
    return experiment.PARTS[name](config, root_keys((0, 1)), DATA, Watch(), NEEDS)


def alike(one, other, *but):
    """Whether two trainings are the same in everything but that."""
    chex.assert_trees_all_equal(*(jax.random.key_data(t["keys"]) for t in (one, other)))
    if "data" not in but:
        chex.assert_trees_all_equal(one["data"], other["data"])
    if "config" not in but:
        assert one["config"] == other["config"]
    for field in ("sizes", "widths", "steps"):
        assert field in but or one[field] == other[field]


def test_section_4_1_differs_in_its_images(trainings):
    result = of("section_4_1")
    small, large = trainings["data-small"], trainings["data-large"]
    alike(small, large, "data")
    assert (small["sizes"], small["widths"]) == ("5-1-3", (6, 4))
    assert len(small["data"].truth) == 1 and len(large["data"].truth) == 2
    np.testing.assert_array_equal(small["data"].truth[0], large["data"].truth[0])
    assert result.metrics["data_gain_set_x3"] == [4.0, 4.0]
    assert result.metrics["data_small_over_bicubic_set_x3"] == [1.0, 1.0]


def test_section_4_3_1_differs_in_the_number_of_filters(trainings, monkeypatch):
    monkeypatch.setattr(studies, "seconds_of", lambda *about: 0.5)
    result = of("section_4_3_1")
    more, fewer = trainings["filters-8-4"], trainings["filters-4-2"]
    alike(more, fewer, "widths")
    assert (more["widths"], fewer["widths"]) == ((8, 4), (4, 2))
    assert result.metrics["number_gain_8-4_set_x3"] == [2.0, 2.0]
    assert result.metrics["number_4-2_over_bicubic_set_x3"] == [1.0, 1.0]


def test_section_4_3_3_differs_in_one_layer(trainings):
    result = of("section_4_3_3", deeper=("5-1-1-3", "5-3-1-3"))
    for deeper, base in (("5-1-1-3", "5-1-3"), ("5-3-1-3", "5-3-3")):
        with_it, without = trainings[f"layers-{deeper}"], trainings[f"layers-{base}"]
        alike(with_it, without, "sizes", "widths")
        assert (with_it["sizes"], without["sizes"]) == (deeper, base)
        assert (with_it["widths"], without["widths"]) == ((6, 4, 4), (6, 4))
    assert result.metrics["layers_gain_5-1-1-3_set_x3"] == [1.0, 1.0]
    assert result.metrics["layers_gain_5-3-1-3_set_x3"] == [0.0, 0.0]
    assert result.metrics["layers_5-1-1-3_over_bicubic_set_x3"] == [2.0, 2.0]


def test_section_3_3_differs_in_the_last_layers_rate(trainings):
    result = of("section_3_3")
    tenth, same = trainings["last-tenth"], trainings["last-same"]
    alike(tenth, same, "config")
    assert tenth["config"].last_learning_rate == pytest.approx(1e-5)
    assert same["config"].last_learning_rate == 1e-4
    assert dataclasses.replace(same["config"], last_learning_rate=1e-5) == tenth["config"]
    assert result.metrics["last_gain_set_x3"] == [3.0, 3.0]


def test_they_make_the_metrics_that_claims_read(trainings, monkeypatch):
    monkeypatch.setattr(studies, "seconds_of", lambda *about: 0.5)
    paper = {"sizes": "9-1-5", "filters": (128, 64, 32), "deeper": Studies().deeper}
    for name in ("section_3_3", "section_4_1", "section_4_3_1", "section_4_3_3"):
        made = {metric.replace("set_", "set5_") for metric in of(name, **paper).metrics}
        assert all(PARTS[name].makes(metric) for metric in made)
        read = [claim for claim in claims.STUDIES if claim.part == name]
        assert read and all({c.metric, c.baseline.metric} <= made for c in read)


def test_a_deeper_network_really_trains():
    """Without a stand-in: shapes, chunks and scores of a network with a layer more."""
    config = dataclasses.replace(TINY, steps=2, every=2, chunk=2, batch=4, schedule="constant")
    config = dataclasses.replace(
        config, studies=dataclasses.replace(config.studies, filters=(4, 2))
    )
    result = experiment.PARTS["section_4_3_3"](config, root_keys((0,)), DATA, Watch(), NEEDS)
    assert np.isfinite(result.metrics["layers_5-1-1-3_psnr_set_x3"]).all()
    assert result.history["layers-5-1-1-3"][-1]["step"] == 2


def test_the_studied_images_are_loaded_when_a_study_wants_them():
    config = PRESETS["smoke"]
    assert load_data(config, only=("test",)).studied == {}
    data = load_data(config, only=("studied",))
    assert {name: len(images) for name, images in data.studied.items()} == {"small": 2, "large": 3}
    assert [about["split"] for about in data.about["studied"]] == ["train[:2]", "train[:3]"]


# --- A+ --------------------------------------------------------------------------------------


def test_maps_are_ridge_regressions_of_an_atoms_neighbours(monkeypatch):
    """A loop over atoms, by `lstsq` with the ridge as rows."""
    monkeypatch.setattr(anchored, "ATOMS", 3)
    rng = np.random.default_rng(0)
    features, lacking = (rng.normal(size=(60, n)).astype(np.float32) for n in (6, 4))
    low = rng.normal(size=(5, 7)).astype(np.float32)
    low /= np.linalg.norm(low, axis=0)
    axes = np.linalg.qr(rng.normal(size=(6, 5)))[0].astype(np.float32)
    monkeypatch.setattr(anchored, "samples_of", lambda *about: (features, lacking))
    dictionaries = sparse_coding.Dictionaries(axes, low, None)
    maps = anchored.learn(dictionaries, [], pool=60, neighbours=9, seed=0)
    reduced = features @ axes
    length = np.linalg.norm(reduced, axis=1, keepdims=True)
    for atom in range(7):
        alike = np.abs(reduced / length @ low[:, atom])
        chosen = np.argsort(-alike)[:9]
        rows = np.concatenate([(reduced / length)[chosen], np.sqrt(0.1) * np.eye(5)])
        wanted = np.concatenate([(lacking / length)[chosen], np.zeros((5, 4))])
        np.testing.assert_allclose(maps[atom], np.linalg.lstsq(rows, wanted)[0], atol=1e-5)


def test_each_patch_gets_the_map_of_the_atom_it_resembles(monkeypatch):
    monkeypatch.setattr(anchored, "CHUNK", 10)
    rng = np.random.default_rng(1)
    image = rng.uniform(size=(18, 24)).astype(np.float32)
    axes = rng.normal(size=(144, 5)).astype(np.float32)
    low, maps = (rng.normal(size=s).astype(np.float32) for s in ((5, 6), (6, 5, 36)))
    features = sparse_coding.features_of(image, 2) @ axes
    lacking = np.stack([f @ maps[np.abs(f @ low).argmax()] for f in features])
    found = anchored.upscale(sparse_coding.Dictionaries(axes, low, None), maps, image, 2)
    np.testing.assert_allclose(
        found, sparse_coding.overlaid(image, lacking, 2), rtol=1e-4, atol=1e-4
    )


def test_it_beats_the_dictionaries_it_is_built_on():
    pairs = [pair(crop, 3) for crop in CROPS]
    dictionaries = sparse_coding.learn(pairs, atoms=32, samples=700, seed=0)
    maps = anchored.learn(dictionaries, pairs, pool=2_000, neighbours=200, seed=0)
    again = anchored.learn(dictionaries, pairs, pool=2_000, neighbours=200, seed=0)
    np.testing.assert_array_equal(maps, again)
    for truth, bicubic, _ in pairs:
        reached = [
            float(shaved_psnr(x, truth[:, :, 0], 3))
            for x in (
                bicubic[:, :, 0],
                sparse_coding.upscale(dictionaries, bicubic[:, :, 0], 3),
                anchored.upscale(dictionaries, maps, bicubic[:, :, 0], 3),
            )
        ]
        assert reached[0] < reached[1] < reached[2]


def test_the_part_compares_with_the_same_images_numbers(monkeypatch):
    monkeypatch.setattr(experiment.anchored, "learn", lambda *about, **named: None)
    monkeypatch.setattr(experiment, "tests_of", lambda data, scale: {"set": {}})
    measured = {"a_plus_psnr_set_x3": 30.0, "a_plus_ifc_set_x3": 4.0}
    monkeypatch.setattr(experiment, "scores", lambda *about: dict(measured))
    needs = NEEDS | {
        "table_2": Result({"ours_psnr_set_x3": [31.0, 29.0], "ours_ifc_set_x3": [3.5, 4.5]}),
        "sparse_coding": Result({}, arrays={f"sparse_{n}": None for n in ("axes", "low", "high")}),
    }
    metrics = experiment.a_plus(TINY, root_keys((0, 1)), DATA, Watch(), needs).metrics
    assert metrics == measured | {
        "a_plus_over_bicubic_set_x3": 10.0,
        "a_plus_psnr_behind_set_x3": [1.0, -1.0],
        "a_plus_ifc_ahead_set_x3": [0.5, -0.5],
    }
    assert all(PARTS["a_plus"].makes(name) for name in metrics)
