"""`python -m experiments.srcnn upscale IN OUT`: what a person wants from the paper."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import scipy.io
import skimage.data
from PIL import Image

from experiments.srcnn import upscale
from lib.base import memory
from lib.base.weights import save_weights
from lib.models.super_resolution import SRCNN, VDSR
from lib.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
from lib.ops.resize import resize
from lib.pictures.picture import Picture, Resolution, read_picture, write_picture
from lib.run.cli import main

ROOT = Path(__file__).parent.parent.parent
SIZES, WIDTHS = (3, 1, 3), (4, 2)
NET = SRCNN(SIZES, WIDTHS, padding="EDGE", kernel_init=jax.nn.initializers.he_normal())


@functools.cache
def network(seed=0):
    return jax.jit(NET.init)(jax.random.key(seed), np.zeros((1, 9, 9, 1), np.float32))["params"]


def identity():
    """Gives back what it is shown, if that is not negative."""
    params = jax.tree.map(np.zeros_like, network())
    for name, middle in {"conv1": (1, 1), "conv2": (0, 0), "conv3": (1, 1)}.items():
        params[name]["kernel"][(*middle, 0, 0)] = 1
    return params


def save(folder, params, scales=(2, 3, 4)):
    folder.mkdir(exist_ok=True)
    for scale in scales:
        about = {"paper": "srcnn", "sizes": "3-1-3", "scale": str(scale)}
        save_weights(folder / f"weights-x{scale}.safetensors", params, about)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run's folder with a network of random filters."""
    return save(tmp_path_factory.mktemp("trained"), network())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run's folder with a network that changes nothing."""
    return save(tmp_path_factory.mktemp("plain"), identity())


@pytest.fixture
def command(capsys):
    """`command(*words)`: code, out, err."""

    def command(*words):
        code = 0
        capsys.readouterr()
        try:
            main("experiments.srcnn", ["upscale", *map(str, words)])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return command


def noise(dtype, channels, shape):
    return np.random.default_rng(3).integers(
        0, np.iinfo(dtype).max, (*shape, channels), dtype, endpoint=True
    )


visible = jax.jit(upscale.resize_visible, static_argnums=(1, 2))


def papers_way(pixels, scale):
    """The whole image at once, as section 4 says: the network on Y, the rest bicubic; in float."""
    image = pixels / np.float32(np.iinfo(pixels.dtype).max)
    if image.shape[2] > 2:
        image[..., :3] = rgb_to_ycbcr(image[..., :3])
    shape = (image.shape[0] * scale, image.shape[1] * scale)
    large = resize(image, shape)
    if image.shape[2] in (2, 4):
        large = np.array(visible(image, shape, 3))
    large[..., :1] = jax.jit(NET.apply)({"params": network()}, large[None, ..., :1])[0]
    if image.shape[2] > 2:
        large[..., :3] = ycbcr_to_rgb(large[..., :3])
    return np.clip(large, 0, 1)


CASES = [(np.uint8, c, 3, (40, 33)) for c in (1, 2, 3, 4)]
CASES += [(np.uint16, 3, 2, (33, 70)), (np.uint16, 1, 4, (30, 41))]
CASES += [(np.uint8, 3, 3, (1, 1)), (np.uint8, 4, 4, (3, 2))]


@pytest.mark.parametrize("dtype, channels, scale, shape", CASES)
def test_it_is_the_papers_way_whatever_the_windows(
    dtype, channels, scale, shape, trained, tmp_path, command, monkeypatch
):
    monkeypatch.setattr(upscale, "WINDOW", 48)  # so that small images need several
    pixels = noise(dtype, channels, shape)
    write_picture(tmp_path / "in.png", Picture(pixels))
    words = ("--scale", scale, "--weights", trained)
    ended = command(tmp_path / "in.png", tmp_path / "out.png", *words)
    h, w = shape
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path / 'out.png'}: {w} x {h} -> {w * scale} x {h * scale} pixels\n"
    made = read_picture(tmp_path / "out.png").pixels
    assert made.dtype == dtype and made.shape == (h * scale, w * scale, channels)
    expected = papers_way(pixels, scale) * np.iinfo(dtype).max
    np.testing.assert_allclose(made, expected, rtol=0, atol=0.51 if dtype == np.uint8 else 0.6)


def over(pixels, paper):
    """On paper, in [0, 1]."""
    levels = pixels / np.iinfo(pixels.dtype).max
    return levels[..., :-1] * levels[..., -1:] + paper * (1 - levels[..., -1:])


Y, X = np.mgrid[:15, :15]
ALPHAS = {
    "a disc": np.hypot(Y - 7, X - 7) < 5,
    "a soft disc": np.clip(6 - np.hypot(Y - 7, X - 7), 0, 1),
    "single pixels": (X % 3 == 1) & (Y % 4 == 1),
    "nothing": np.zeros((15, 15)),
    "half of it everywhere": np.full((15, 15), 0.5),
}


@pytest.mark.parametrize("name", ALPHAS)
@pytest.mark.parametrize("paper", [0, 1])
@pytest.mark.parametrize("dtype, channels", [(np.uint8, 4), (np.uint8, 2), (np.uint16, 4)])
def test_what_is_transparent_lends_no_colour(dtype, channels, paper, name):
    """Art of the paper's colour on that paper cannot be seen, whatever colours are hidden."""
    peak = np.iinfo(dtype).max
    alpha = np.round(ALPHAS[name] * peak).astype(dtype)
    hidden = noise(dtype, channels - 1, alpha.shape)
    color = np.where(alpha[..., None] > 0, np.array(paper * peak, dtype), hidden)
    pixels = np.dstack([color, alpha])
    made = upscale.upscale(identity(), pixels, 2)
    np.testing.assert_allclose(over(made, paper), paper, atol=1.1 / 255)
    expected = np.clip(resize(alpha / np.float32(peak), (30, 30)), 0, 1)
    np.testing.assert_allclose(made[..., -1] / peak, expected, atol=0.51 / 255)


def test_colours_that_can_hardly_be_seen_spread_no_rim():
    distance = np.hypot(Y - 7, X - 7)
    alpha = np.where(distance < 4, 255, np.where(distance < 6, 4, 0))
    pixels = np.dstack([np.where(distance < 4, 255, 0), alpha]).astype(np.uint8)
    assert over(pixels, 1).min() * 255 == 251
    made = upscale.upscale(identity(), pixels, 2)
    assert over(made, 1).min() * 255 >= 249


def test_over_any_paper_it_is_the_image_on_that_paper():
    pixels = noise(np.uint8, 4, (15, 15))
    pixels[..., :3] = 60 + pixels[..., :3] // 2
    pixels[..., 3] = np.maximum(pixels[..., 3], 128)
    made = upscale.upscale(identity(), pixels, 2)
    for paper in (0, 1):
        expected = np.clip(resize(over(pixels, paper).astype(np.float32), (30, 30)), 0, 1)
        inside = (made[..., :3] > 0) & (made[..., :3] < 255) & (made[..., 3:] < 255)
        error = np.abs(over(made, paper) - expected)[inside]
        assert inside.mean() > 0.7 and error.max() < 1.5 / 255


def test_alpha_that_hides_nothing_changes_no_bit():
    for dtype in (np.uint8, np.uint16):
        pixels = noise(dtype, 4, (15, 15))
        pixels[..., 3] = np.iinfo(dtype).max
        made = upscale.upscale(network(), pixels, 2)
        without = upscale.upscale(network(), np.ascontiguousarray(pixels[..., :3]), 2)
        np.testing.assert_array_equal(made[..., :3], without)
        assert (made[..., 3] == np.iinfo(dtype).max).all()


IMAGES = {
    "1": ("png", Image.new("1", (5, 4), 1), (255,)),
    "L": ("png", Image.new("L", (5, 4), 77), (77,)),
    "LA": ("png", Image.new("LA", (5, 4), (77, 99)), (77, 99)),
    "P": ("png", Image.new("RGB", (5, 4), (200, 30, 90)).quantize(4), (200, 30, 90)),
    "GIF": ("gif", Image.new("RGB", (5, 4), (200, 30, 90)).quantize(4), (200, 30, 90)),
    "RGB": ("png", Image.new("RGB", (5, 4), (250, 5, 130)), (250, 5, 130)),
    "JPEG": ("jpg", Image.new("RGB", (5, 4), (127, 127, 127)), (127, 127, 127)),
    "RGBA": ("png", Image.new("RGBA", (5, 4), (1, 255, 3, 100)), (1, 255, 3, 100)),
    "I;16": ("png", Image.fromarray(np.full((4, 5), 31_415, np.uint16)), (31_415,)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_of_one_colour_stays_it(name, plain, tmp_path, command):
    ending, image, color = IMAGES[name]
    image.save(tmp_path / f"in.{ending}")
    for scale in (2, 3):
        words = ("--scale", scale, "--weights", plain)
        ended = command(tmp_path / f"in.{ending}", tmp_path / "out.png", *words)
        assert ended.code == 0, ended.err
        made = read_picture(tmp_path / "out.png").pixels
        expected = np.broadcast_to(color, (4 * scale, 5 * scale, len(color)))
        np.testing.assert_allclose(made, expected, rtol=0, atol=1)


def test_in_place_and_jpeg_and_notes(plain, tmp_path, command):
    path = tmp_path / "a.tif"
    write_picture(path, Picture(np.full((4, 5, 3), 40_000, np.uint16), b"profile"))
    assert command(path, path, "--weights", plain).code == 0
    picture = read_picture(path)
    assert picture.pixels.shape == (12, 15, 3) and picture.profile == b"profile"
    ended = command(path, tmp_path / "a.JPEG", "--weights", plain, "--scale", 2)
    assert ended.out.endswith("30 x 24 pixels; 8 bits, as JPEG has no more\n"), ended.err
    assert Image.open(tmp_path / "a.JPEG").format == "JPEG"
    frames = [Image.new("L", (3, 2), level) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    ended = command(tmp_path / "a.gif", tmp_path / "b.png", "--weights", plain)
    assert ended.out.endswith("9 x 6 pixels; the first of 2 frames\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.JPEG", "a.gif", "a.tif", "b.png"]


def test_weights_of_the_authors_and_a_file_of_ours(trained, tmp_path, command):
    params = network()
    columns = {}
    for i in (1, 2, 3):
        kernel = np.asarray(params[f"conv{i}"]["kernel"])  # [f, f, in, out]
        area = kernel.shape[0] ** 2
        patches = kernel.transpose(2, 1, 0, 3).reshape(kernel.shape[2], area, kernel.shape[3])
        columns[f"weights_conv{i}"] = {1: patches[0], 2: patches, 3: patches[..., 0]}[i]
        columns[f"biases_conv{i}"] = np.asarray(params[f"conv{i}"]["bias"])[:, None]
    scipy.io.savemat(tmp_path / "x3.mat", columns)
    write_picture(tmp_path / "in.png", Picture(noise(np.uint8, 1, (5, 6))))
    made = []
    for weights in (trained, trained / "weights-x3.safetensors", tmp_path / "x3.mat"):
        assert command(tmp_path / "in.png", tmp_path / "out.png", "--weights", weights).code == 0
        made.append((tmp_path / "out.png").read_bytes())
    assert made[0] == made[1] == made[2]
    (tmp_path / "x3.mat").rename(tmp_path / "x2.mat")
    ended = command(tmp_path / "in.png", tmp_path / "out.png", "--weights", tmp_path / "x2.mat")
    assert ended.code == 2 and "x2.mat holds weights for --scale 2, not 3" in ended.err


def test_weights_that_come_with_the_paper(trained, tmp_path, command, monkeypatch):
    monkeypatch.setitem(upscale.RESULTS, "srcnn", trained)
    write_picture(tmp_path / "in.png", Picture(noise(np.uint8, 3, (5, 6))))
    assert command(tmp_path / "in.png", tmp_path / "out.png").code == 0
    monkeypatch.setitem(upscale.RESULTS, "srcnn", tmp_path)
    ended = command(tmp_path / "in.png", tmp_path / "other.png", "--scale", 2)
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert ended.err.startswith("srcnn: no weights for x2 come with the paper; name yours")


def sound(folder):
    path = folder / "in.png"
    write_picture(path, Picture(noise(np.uint8, 3, (9, 8))))
    return path.read_bytes()


MISTAKES = {
    "no such file": (None, "out.png", [], "in.png: there is no such file"),
    "text": (b"hello", "out.png", [], "in.png is not an image"),
    "empty": (b"", "out.png", [], "in.png is not an image"),
    "truncated": (lambda d: sound(d)[:-60], "out.png", [], "in.png is not a sound image: "),
    "header only": (lambda d: sound(d)[:40], "out.png", [], "in.png is not an image"),
    "flipped bits": (
        lambda d: sound(d)[:60] + bytes(20) + sound(d)[80:],
        "out.png",
        [],
        "in.png is not a sound image: ",
    ),
    "no folder": (sound, "nowhere/out.png", [], "out.png: No such file or directory"),
    "below a file": (sound, "in.png/out.png", [], "out.png: Not a directory"),
    "a folder": (sound, "folder.png", [], "folder.png is a folder"),
    "ending": (sound, "out.xyz", [], "out.xyz: a name must end in .png, .jpg"),
    "no ending": (sound, "out", [], "out: a name must end in .png"),
    "scale 5": (sound, "out.png", ["--scale", "5"], "invalid choice '5'"),
    "scale 0": (sound, "out.png", ["--scale", "0"], "invalid choice '0'"),
    "scale x": (sound, "out.png", ["--scale", "x"], "invalid choice 'x'"),
    "no megapixels": (sound, "out.png", ["--max-megapixels", "0"], "must be above 0"),
    "option": (sound, "out.png", ["--scales", "3"], "perhaps you meant --scale"),
    "no weights": (sound, "out.png", ["--weights", "gone"], "gone: no such file"),
    "an empty run": (
        sound,
        "out.png",
        ["--weights", "folder.png"],
        "weights-x3.safetensors: no such",
    ),
    "wrong weights": (sound, "out.png", ["--weights", "in.png"], "not a sound safetensors file"),
    "another scale": (sound, "out.png", ["--weights", "x2"], "holds weights for --scale 2, not 3"),
    "another paper": (sound, "out.png", ["--weights", "gan"], "holds weights of gan, not of srcnn"),
    "another network": (sound, "out.png", ["--weights", "rgb"], "does not hold an SRCNN"),
    "half a network": (sound, "out.png", ["--weights", "half"], "does not hold an SRCNN"),
    "no VDSR": (sound, "out.png", ["--network", "vdsr", "--weights", "x2"], "not of vdsr"),
    "VDSR's scale": (
        sound,
        "out.png",
        ["--network", "vdsr", "--weights", "vdsr"],
        "holds weights for --scale 2 4, not 3",
    ),
    "VDSR's filters": (
        sound,
        "out.png",
        ["--network", "vdsr", "--weights", "wide"],
        "does not hold a VDSR of one channel",
    ),
    "no .mat": (sound, "out.png", ["--weights", "a.mat"], "a.mat: there is no such file"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(mistake, plain, tmp_path, command, monkeypatch):
    content, target, words, said = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    params, about = network(), {"paper": "srcnn", "scale": "3"}
    save_weights(tmp_path / "x2", params, about | {"scale": "2"})
    save_weights(tmp_path / "gan", params, about | {"paper": "gan"})
    save_weights(tmp_path / "half", {"conv2": params["conv2"]}, about)
    about_vdsr = {"paper": "vdsr", "scales": "2 4"}
    save_weights(tmp_path / "vdsr", params, about_vdsr)
    save_weights(tmp_path / "wide", params, about_vdsr | {"scales": "2 3 4"})
    kernels = {"conv1": {"kernel": np.zeros((3, 3, 3, 3)), "bias": np.zeros(3)}}
    save_weights(tmp_path / "rgb", kernels, about)
    if content is not None:
        content = content(tmp_path) if callable(content) else content
        (tmp_path / "in.png").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    ended = command("in.png", target, *(words or ["--weights", plain]))
    assert ended.code in (1, 2) and ended.out == ""
    assert ended.err.startswith("srcnn: ") and said in ended.err
    assert len(ended.err.splitlines()) == 1, ended.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", [(), ("in.png",), ("in.png", "out.png", "more.png")])
def test_how_it_is_used(words, command):
    ended = command(*words)
    assert ended.code == 2 and len(ended.err.splitlines()) == 1


def test_a_decompression_bomb_is_not_read(plain, tmp_path, command, monkeypatch):
    sound(tmp_path)
    for most in (50, 20):  # Pillow's warning, and its error
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        ended = command(tmp_path / "in.png", tmp_path / "out.png", "--weights", plain)
        assert ended.code == 2 and f"more than {most} pixels" in ended.err
        words = ("--weights", plain, "--max-megapixels", "0.0001")
        assert command(tmp_path / "in.png", tmp_path / "out.png", *words).code == 0


def test_an_image_too_large_for_the_memory_is_refused_before_the_work(
    plain, tmp_path, command, monkeypatch
):
    sound(tmp_path)
    monkeypatch.setattr(memory, "free_memory", lambda: 300 * 2**20)
    monkeypatch.setattr(upscale, "load", None)
    ended = command(tmp_path / "in.png", tmp_path / "out.png", "--weights", plain)
    pattern = r"srcnn: 24 x 27 pixels need 0\.4 GiB, 0\.3 GiB are free: a smaller --scale, or .*\n"
    assert ended.code == 2 and re.fullmatch(pattern, ended.err)
    assert list(tmp_path.iterdir()) == [tmp_path / "in.png"]
    assert upscale.bytes_needed(np.empty((8000, 8000, 3), np.uint8), 4) > 12 * 2**30


def test_what_it_writes_it_reads_and_resolution_and_gamma_stay(plain, tmp_path, command):
    marks = ((b"gAMA", (45455).to_bytes(4, "big")),)
    pixels = noise(np.uint16, 2, (5, 4))
    write_picture(tmp_path / "a.png", Picture(pixels, None, (), Resolution(300, 300), marks))
    words = ("--weights", plain, "--scale", 2)
    assert command(tmp_path / "a.png", tmp_path / "b.png", *words).code == 0
    ended = command(tmp_path / "b.png", tmp_path / "c.tif", *words)
    assert ended.out.endswith("16 x 20 pixels; without gAMA, for which TIFF has no place\n")
    assert command(tmp_path / "c.tif", tmp_path / "d.tif", *words).code == 0
    for name, side in (("b.png", 2), ("c.tif", 4), ("d.tif", 8)):
        picture = read_picture(tmp_path / name)
        assert picture.pixels.shape == (5 * side, 4 * side, 2)
        np.testing.assert_allclose(picture.resolution, (300, 300, True), rtol=1e-4)
    assert read_picture(tmp_path / "b.png").marks == marks


def full(descriptor):
    raise OSError(28, os.strerror(28))


def interrupted(*args):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "module, name, fails, code, said",
    [
        (os, "fsync", full, 1, "cannot write .*: No space left on device"),
        (os, "fsync", interrupted, 130, "interrupted"),
        (upscale, "upscale", interrupted, 130, "interrupted"),
    ],
)
def test_what_was_there_survives(
    module, name, fails, code, said, plain, tmp_path, command, monkeypatch
):
    before = sound(tmp_path)
    monkeypatch.setattr(module, name, fails)
    ended = command(tmp_path / "in.png", tmp_path / "in.png", "--weights", plain)
    assert ended.code == code and len(ended.err.splitlines()) == 1
    assert re.fullmatch(f"srcnn: {said}\n", ended.err)
    assert (tmp_path / "in.png").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "in.png"]


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(
    plain, tmp_path, command, monkeypatch
):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    sound(tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    monkeypatch.setattr(upscale, "upscale", None)
    ended = command(tmp_path / "in.png", closed / "out.png", "--weights", plain)
    assert ended.code == 2 and "out.png: Permission denied" in ended.err


def test_help_answers_without_jax():
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('jax' in sys.modules, 'PIL' in sys.modules))\n"
        "from lib.run.cli import main\n"
        "main('experiments.srcnn', ['upscale', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for words in ("IN OUT", "--scale {2,3,4}", "--weights PATH"):
        assert words in done.stdout
    assert done.stdout.endswith("False False\n")


def test_the_paper_lists_it(capsys):
    with pytest.raises(SystemExit):
        main("experiments.srcnn", ["--help"])
    assert "python -m experiments.srcnn upscale IN OUT" in capsys.readouterr().out


# --- VDSR ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale, shape", [(2, (41, 60)), (3, (30, 47))])
def test_vdsr_goes_window_by_window_without_seams(scale, shape, monkeypatch):
    """Against the whole image at once: bicubic, x + f(x) on Y with zeros around, colours bicubic."""
    net = VDSR(3, 4)
    params = net.init(jax.random.key(1), np.zeros((1, 9, 9, 1), np.float32))["params"]
    pixels = noise(np.uint8, 3, shape)
    image = rgb_to_ycbcr(pixels / np.float32(255))
    large = np.array(resize(image, tuple(side * scale for side in shape)))
    large[..., :1] = net.apply({"params": params}, large[None, ..., :1])[0]
    wanted = 255 * np.clip(ycbcr_to_rgb(large), 0, 1)
    monkeypatch.setattr(upscale, "WINDOW", 16 * scale)
    made = upscale.upscale(params, pixels, scale, "vdsr")
    assert np.abs(made - wanted).max() <= 0.51
    assert np.abs(made - upscale.upscale(params, pixels, scale, "vdsr")).max() == 0


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_vdsr_that_comes_with_its_paper_is_better_than_the_srcnn_that_comes_with_its_own(scale):
    """A photograph that neither was trained on, by the command's own functions; PSNR of grey."""
    pixels = skimage.data.camera()[100:220, 180:300, None]
    side = 120
    small = np.round(255 * np.clip(resize(pixels / np.float32(255), (side // scale,) * 2), 0, 1))

    def psnr(network):
        params = upscale.load(None, scale, network)
        made = upscale.upscale(params, small.astype(np.uint8), scale, network)
        error = (made.astype(np.float64) - pixels)[scale:-scale, scale:-scale]
        return 10 * np.log10(255**2 / np.mean(error**2))

    assert psnr("vdsr") > psnr("srcnn") + 0.1
