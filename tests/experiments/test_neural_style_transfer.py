"""`python -m experiments.neural_style --content PHOTO --style PAINTING --out RESULT`: files of a person."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.neural_style import painting, transfer
from experiments.neural_style.network import prepare
from experiments.neural_style.request import Request, bytes_needed
from lib.base import memory
from lib.base.errors import UserError
from lib.ops.color import rgb_to_ycbcr
from lib.pictures.picture import Picture, Resolution, read_picture, write_picture
from lib.run.cli import main
from tests.experiments.commands import commander, files, help_without_jax, image

SMALL = ("--network", "squeezenet1_1", "--size", "33", "--iterations", "4", "--save-every", "4")
"""No preview, and chunks of two: photographs of 40 x 30 pixels share one compiled program."""


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """`command(*words)`: code, out, err; in an empty folder with `a.png`, 40 x 30, and `b.jpg`, 30 x 36."""
    monkeypatch.chdir(tmp_path)
    image(40, 30).save("a.png")
    image(30, 36).save("b.jpg")
    return commander(capsys, "experiments.neural_style", "transfer")


def test_a_photograph_in_the_style_of_a_painting(squeezenet, command):
    ended = command("--content", "a.png", "--style", "b.jpg", "--out", "c.png", *SMALL)
    assert ended.code == 0, ended.err
    first, last = ended.out.splitlines()
    pattern = r"neural_style: cpu .*, squeezenet1_1, 33 x 25 pixels, about \d+ MiB"
    assert re.fullmatch(pattern, first) and last == "c.png: 33 x 25 pixels"
    assert "4/4" in ended.err and "loss=" in ended.err
    assert read_picture(Path("c.png")).pixels.shape == (25, 33, 3)
    before = Path("c.png").read_bytes()
    assert command("--content", "a.png", "--style", "b.jpg", "--out", "c.png", *SMALL).code == 0
    assert Path("c.png").read_bytes() == before


def test_two_artworks_masks_scales_colours_and_previews(squeezenet, command):
    for name, side in (("m.png", "left"), ("n.png", "right")):
        mask = np.zeros((8, 8), np.uint8)
        mask[:, slice(0, 4) if side == "left" else slice(4, 8)] = 255
        Image.fromarray(mask).save(name)
    words = ["--content", "a.png", "--style", "b.jpg", "a.png", "--masks", "m.png", "n.png"]
    words += ["--style-weights", "1", "2", "--scales", "2", "--size", "65", "--iterations", "4"]
    words += ["--original-colors", "--save-every", "3", "--keep-previews", "--initial", "noise"]
    words += ["--network", "squeezenet1_1", "--smooth", "1e-5", "--optimiser", "adam"]
    ended = command(*words, "--out", "c.png")
    assert ended.code == 0, ended.err
    assert files() == ["a.png", "b.jpg", "c-0003.png", "c-0006.png", "c.png", "m.png", "n.png"]
    assert [Image.open(f).size for f in ("c-0003.png", "c-0006.png")] == [(33, 25), (65, 49)]


FILES = {
    "a CMYK photograph": ("in.jpg", lambda: image(40, 30, "CMYK"), {}, "RGB", None),
    "a grey one": ("in.png", lambda: image(40, 30, "L"), {}, "RGB", None),
    "a transparent one": ("in.png", lambda: image(40, 30, "RGBA"), {}, "RGBA", None),
    "an animated GIF": (
        "in.gif",
        lambda: image(40, 30, "L"),
        {"save_all": True, "append_images": [Image.new("L", (40, 30))]},
        "RGB",
        "in.gif: the first of 2 frames",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_pillow_reads(name, squeezenet, command):
    path, make, options, mode, note = FILES[name]
    make().save(path, **options)
    ended = command("--content", path, "--style", path, "--out", "c.png", *SMALL)
    assert ended.code == 0, ended.err
    assert Image.open("c.png").mode == mode and Image.open("c.png").size == (33, 25)
    assert note is None or note in ended.out.splitlines()


def grey(mode, level, alpha=255):
    """A mask of one colour, as a mode of Pillow has it."""
    return Image.new("RGBA", (4, 4), (level, level, level, alpha)).convert(mode)


@pytest.mark.parametrize(
    "mask, weight",
    [
        (grey("1", 255), 1),
        (grey("1", 0), 0),
        (grey("L", 128), 128 / 255),
        (grey("LA", 255, 0), 0),
        (grey("LA", 255, 51), 0.2),
        (grey("RGBA", 255, 0), 0),
        (grey("RGBA", 128, 51), 0.2 * 128 / 255),
        (grey("RGB", 255), 1),
        (Image.new("RGB", (4, 4), "red"), 0.299),
        (Image.new("RGB", (4, 4), "blue"), 0.114),
        (Image.new("RGB", (4, 4), "yellow").quantize(2), 0.886),
        (Image.fromarray(np.full((4, 4), 32768, np.uint16)), 0.5),
    ],
)
def test_a_mask_counts_by_brightness_and_alpha(mask, weight, tmp_path):
    mask.save(tmp_path / "a.png")
    found = transfer.weight_of(read_picture(tmp_path / "a.png").pixels)
    np.testing.assert_allclose(found, np.full((4, 4), weight), atol=1e-4)


def test_what_the_photograph_says_of_its_colours_stays(squeezenet, command):
    pixels = np.asarray(image(40, 30))
    marks = ((b"gAMA", (45455).to_bytes(4, "big")),)
    about = Picture(pixels, b"of the photograph", (), Resolution(300, 300), marks)
    write_picture(Path("a.png"), about)
    write_picture(Path("m.png"), Picture(np.full((4, 4, 2), 255, np.uint8)))
    words = (*SMALL, "--masks", "m.png")
    ended = command("--content", "a.png", "--style", "b.jpg", "--out", "c.png", *words)
    assert ended.code == 0, ended.err
    made = read_picture(Path("c.png"))
    assert made.profile == b"of the photograph" and made.marks == marks
    np.testing.assert_allclose(made.resolution, (300, 300, True), rtol=1e-4)
    assert "b.jpg: taken as if its colour profile were that of a.png" in ended.out.splitlines()
    ended = command("--content", "a.png", "--style", "a.png", "--out", "c.jpg", *words)
    made = read_picture(Path("c.jpg"))
    assert made.profile == b"of the photograph" and made.resolution == (300, 300, True)
    assert ended.out.splitlines()[1:-1] == ["c.jpg: without gAMA, for which JPEG has no place"]


def test_a_photograph_is_turned_as_its_exif_says(squeezenet, command):
    exif = Image.Exif()
    exif[0x0112] = 6
    image(30, 40).save("turned.jpg", exif=exif)
    ended = command("--content", "turned.jpg", "--style", "b.jpg", "--out", "c.png", *SMALL)
    assert ended.code == 0, ended.err
    assert Image.open("c.png").size == (33, 25)


def test_interrupted_the_image_is_kept_as_far_as_it_went(squeezenet, command, monkeypatch):
    chunk = painting.Previews.chunk

    def interrupted(self, training, step, *args, **options):
        chunk(self, training, step, *args, **options)
        if step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(painting.Previews, "chunk", interrupted)
    ended = command("--content", "a.png", "--style", "b.jpg", "--out", "c.png", *SMALL)
    assert ended.code == 130
    last = ended.err.splitlines()[-1]
    assert last == "neural_style: interrupted; c.png is as far as it went"
    assert Image.open("c.png").size == (33, 25)


def test_colours_are_the_photographs_and_brightness_the_results():
    made, photograph = (
        np.full((4, 6, 3), color, np.uint8) for color in ((90, 90, 90), (120, 80, 60))
    )
    mixed = painting.recolored(made, photograph.astype(np.float32))
    y, colors = (rgb_to_ycbcr(i[0, 0] / np.float32(255)) for i in (made, photograph))
    expected = np.concatenate([y[:1], colors[1:]])
    np.testing.assert_allclose(rgb_to_ycbcr(mixed[0, 0] / np.float32(255)), expected, atol=1 / 255)


MISTAKES = {
    "no such photograph": ({"--content": "gone.png"}, "gone.png: there is no such file"),
    "no such painting": ({"--style": "gone.png"}, "gone.png: there is no such file"),
    "not an image": ({"--content": "text.png"}, "text.png is not an image"),
    "not an image, style": ({"--style": "text.png"}, "text.png is not an image"),
    "one pixel": (
        {"--content": "dot.png"},
        "dot.png: 1 x 1 pixels are too few, squeezenet1_1 needs 25",
    ),
    "a thin line": (
        {"--content": "line.png"},
        "line.png: 64 x 1 pixels are too few, squeezenet1_1 needs 25",
    ),
    "a thin painting": (
        {"--style": "line.png"},
        "line.png: 64 x 1 pixels are too few",
    ),
    "too small": ({"--size": "9"}, "a.png: 9 x 7 pixels are too few, squeezenet1_1 needs 25"),
    "a small painting": ({"--style-scale": "0.1"}, "b.jpg: 5 x 7 pixels are too few"),
    "too many scales": ({"--scales": "3"}, "fewer --scales"),
    "transparent": ({"--content": "clear.png", "--out": "c.jpg"}, "c.jpg"),
    "negative ratio": ({"--ratio": "-1"}, "--ratio must be at least 0, not -1"),
    "ratio nan": ({"--ratio": "nan"}, "--ratio must be at least 0, not nan"),
    "ratio inf": ({"--ratio": "inf"}, "--ratio must be a finite number"),
    "negative weight": ({"--style-weights": "-2"}, "--style-weights must be numbers from 0 on"),
    "no weight": ({"--style-weights": "0"}, "--style-weights must not all be 0"),
    "weights": ({"--style-weights": "1 2"}, "--style-weights needs 1 values, one a --style, not 2"),
    "masks": ({"--masks": "a.png a.png"}, "--masks needs 1 values, one a --style, not 2"),
    "negative smooth": ({"--smooth": "-1"}, "--smooth must be at least 0"),
    "learning rate": ({"--learning-rate": "0"}, "--learning-rate must be above 0"),
    "megapixels": ({"--max-megapixels": "0.0001"}, "a.png has more than 100 pixels"),
    "no megapixels": ({"--max-megapixels": "nan"}, "--max-megapixels must be above 0"),
    "iterations": ({"--iterations": "0"}, "--iterations must be at least 1"),
    "layer": ({"--style-layers": "conv9_9"}, "squeezenet1_1 has "),
    "classifier": ({"--content-layers": "logits"}, "logits has no positions"),
    "optimiser": ({"--optimiser": "sgd"}, "invalid choice 'sgd'"),
    "option": ({"--contents": "a.png"}, "perhaps you meant --content"),
    "ending": ({"--out": "c.xyz"}, "c.xyz: a name must end in .png"),
    "nowhere": ({"--out": "nowhere/c.png"}, "nowhere/c.png: No such file or directory"),
    "weights folder": ({"--weights-dir": "gone"}, "--weights-dir gone: there is no such folder"),
    "no weights": ({"--weights-dir": ".", "--network": "vgg16"}, None),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, squeezenet, command):
    change, said = MISTAKES[name]
    Path("text.png").write_text("hello")
    image(64, 1).save("line.png")
    image(1, 1).save("dot.png")
    image(30, 30, "RGBA").save("clear.png")
    given = {"--content": "a.png", "--style": "b.jpg", "--out": "c.png", "--size": "65"}
    given |= {"--network": "squeezenet1_1", "--iterations": "2"} | change
    before = files()
    ended = command(*(word for option, value in given.items() for word in (option, *value.split())))
    assert ended.code in (1, 2) and files() == before
    lines = [line for line in ended.err.splitlines() if not line.startswith(" ")]
    assert lines[0].startswith("neural_style: ") and (said or "") in lines[0], ended.err


def test_an_image_has_to_be_large_enough_for_its_layers(squeezenet):
    """All of them at the least side, and none that needs more at less."""
    network = prepare(squeezenet)
    layers = network.layers
    taps = (*layers.style, layers.content, layers.lower, layers.last, "pool5")
    request = SimpleNamespace(content_layers=taps, style_layers=("fire9",))
    painting.check_layers(network, request, (layers.least_side, 60))
    with pytest.raises(UserError, match="60 x 24 pixels are too few for conv1, .*a larger --size"):
        painting.check_layers(network, request, (layers.least_side - 1, 60))
    low = SimpleNamespace(content_layers=("fire5",), style_layers=("conv1",))
    painting.check_layers(network, low, (15, 60))


def test_more_pixels_than_memory_are_refused_with_the_size_that_fits(command, monkeypatch):
    free = 8 * 2**30
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    words = ("--content", "a.png", "--style", "b.jpg", "--out", "c.png", "--network", "vgg19")
    ended = command(*words, "--size", "4000")
    pattern = r"neural_style: --size 4000 needs [\d.]+ GiB with vgg19, 8.0 GiB are free: --size (\d+) fits\n"
    found = re.fullmatch(pattern, ended.err)
    assert ended.code == 2 and ended.out == "" and found
    request = Request(Path("a.png"), (Path("b.jpg"),), Path("c.png"))
    for size, fits in ((int(found[1]), True), (int(1.2 * int(found[1])), False)):
        needed = bytes_needed(request, "vgg19", size * round(size * 3 / 4))
        assert (needed < free) == fits
    # An artwork seen large counts as well.
    ended = command(*words, "--size", "512", "--style-scale", "80000")
    assert ended.code == 2 and "GiB are free" in ended.err


def test_weights_with_another_checksum_are_refused(command):
    Path("vgg19_conv.safetensors").write_bytes(bytes(1000))
    words = ("--content", "a.png", "--style", "b.jpg", "--out", "c.png", "--size", "64")
    ended = command(*words, "--network", "vgg19", "--weights-dir", ".")
    assert ended.code == 2 and "sha256" in ended.err and not Path("c.png").exists()


def test_help_answers_without_jax():
    said = help_without_jax("experiments.neural_style", "--content", "a.png")
    for words in ("--content FILE", "--style FILE", "--original-colors", "--save-every"):
        assert words in said


def test_the_paper_lists_it(capsys):
    with pytest.raises(SystemExit):
        main("experiments.neural_style", ["--help"])
    assert "--content PHOTO --style PAINTING --out RESULT" in capsys.readouterr().out
