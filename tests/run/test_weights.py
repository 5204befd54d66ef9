"""Weights come back bit for bit, or not at all."""

import os

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save

from lib.base.errors import UserError
from lib.base.files import flat
from lib.base.weights import load_weights, save_weights

PARAMS = {
    "conv1": {"kernel": np.arange(18, dtype=np.float32).reshape(3, 3, 1, 2), "bias": np.ones(2)},
    "block": {"dense": {"kernel": np.eye(3, dtype=np.float16)}},
    "step": np.int32(7),
}
ABOUT = {"paper": "toy", "scale": "3", "trained on": "größere Bilder"}


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, PARAMS, ABOUT)
    params, about = load_weights(path)
    assert about == ABOUT
    expected, found = flat(PARAMS), flat(params)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


def test_equal_weights_are_equal_files_jax_or_numpy_contiguous_or_not(tmp_path):
    kernel = np.random.default_rng(0).random((3, 4), np.float32)
    for name, array in {"a": kernel, "b": jnp.asarray(kernel), "c": kernel.T.copy().T}.items():
        save_weights(tmp_path / name, {"dense": {"kernel": array}}, ABOUT)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert int.from_bytes(first[:8], "little") % 8 == 0


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"dense": {"kernel": np.ones((2, 2), np.float32)}}, {"scale": "3"})
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in [*range(0, header, 5), *range(header, len(whole))]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x11
        path.write_bytes(damaged)
        try:
            _, about = load_weights(path)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:  # words about the weights, which the checksum is not of
            assert place < header


@pytest.mark.parametrize(
    "content, said",
    [
        (None, "no such file"),
        (b"", "not a sound safetensors file"),
        (b"\xff" * 40, "not a sound safetensors file"),
        (save({"a": np.ones(3)})[:-1], "not a sound safetensors file"),
        (save({"a": np.ones(3)}), "has no checksum"),
        (save({"a": np.ones(3)}, {"sha256": "0"}), "damaged"),
    ],
)
def test_what_is_no_file_of_ours_is_named(content, said, tmp_path):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_weights(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        load_weights(tmp_path)


def test_a_full_disk_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_weights(path, PARAMS, ABOUT)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="cannot write .*: No space left on device"):
        save_weights(path, {"other": np.zeros(9)}, ABOUT)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
