import numpy as np
import pytest

from lib.base.errors import UserError
from lib.data.dataset import Dataset, fingerprint, parse_split

SIZES = {"train": 1437, "test": 360}


@pytest.mark.parametrize(
    "spec",
    [
        "train",
        "test",
        "train[:1000]",
        "train[1000:]",
        "train[5:7]",
        "train[-10:]",
        "train[:-10]",
        "train[:10%]",
        "train[33%:67%]",
        "test[-10%:]",
        "test[:1%]",
    ],
)
def test_slices_mean_what_they_mean_in_tfds(spec):
    tfds = pytest.importorskip("tensorflow_datasets")
    instruction = tfds.core.ReadInstruction.from_spec(spec)
    infos = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0)
        for name, size in SIZES.items()
    }
    (expected,) = instruction.to_absolute(infos)
    name, rows = parse_split(spec, SIZES)
    assert name == expected.splitname
    assert rows.start == (expected.from_ or 0)
    assert rows.stop == (SIZES[name] if expected.to is None else expected.to)


@pytest.mark.parametrize(
    "spec",
    [
        "val",
        "train[:1438]",
        "train[5:5]",
        "train[7:5]",
        "train[-1438:]",
        "train[::2]",
        "train[3]",
        "train[:10.5%]",
        "train+test",
        "",
    ],
)
def test_a_split_there_is_not_is_one_line(spec):
    with pytest.raises(UserError) as caught:
        parse_split(spec, SIZES)
    assert repr(spec) in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code == 2


def test_fingerprint_tells_values_shapes_types_and_names_apart():
    base = {"image": np.zeros((2, 4, 3), np.uint8), "label": np.zeros(2, np.int32)}
    changed = base["image"].copy()
    changed[1, 3, 2] = 1
    variants = [
        base,
        base | {"image": changed},
        base | {"image": base["image"].reshape(2, 3, 4)},
        base | {"label": base["label"].astype(np.uint32)},
        {"image": base["image"], "target": base["label"]},
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)
    backwards = {name: base[name] for name in reversed(base)}
    strided = base | {"image": np.zeros((2, 4, 6), np.uint8)[:, :, ::2]}
    assert fingerprint(base) == fingerprint(backwards) == fingerprint(strided)


def test_describe_is_what_a_record_keeps():
    arrays = {"image": np.zeros((3, 2, 2), np.uint8), "label": np.zeros(3, np.int32)}
    dataset = Dataset("digits", "train[:3]", arrays, "0123456789abcdef")
    assert len(dataset) == 3
    assert dataset.describe() == {
        "name": "digits",
        "split": "train[:3]",
        "fingerprint": "0123456789abcdef",
        "real": True,
    }
