"""`python -m experiments.deepdream dream IN OUT`: files of a person; and the figures, on one smoke run."""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from experiments.deepdream import figures
from experiments.deepdream.goals import energy
from experiments.deepdream.layers import LAYERS
from experiments.deepdream.network import prepare
from experiments.deepdream.octaves import Settings, as_data, compiled_climb
from lib.base import memory
from lib.pictures.picture import read_picture
from tests.experiments.commands import commander, files, help_without_jax, image

SMALL = ("--network", "squeezenet1_1", "--layer", "conv1", "--octaves", "2", "--iterations", "2")
"""Of the first layer, so that little is compiled."""


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """`command(*words)`: code, out, err; in an empty folder with `a.png`, 60 x 48, and `b.jpg`, 48 x 60."""
    monkeypatch.chdir(tmp_path)
    image(60, 48).save("a.png")
    image(48, 60).save("b.jpg")
    return commander(capsys, "experiments.deepdream", "dream")


def test_a_dream_on_an_image(squeezenet, command):
    ended = command("a.png", "c.png", *SMALL)
    assert ended.code == 0, ended.err
    first, last = ended.out.splitlines()
    assert first.startswith("deepdream: cpu") and first.endswith("squeezenet1_1, 60 x 48 pixels")
    assert last == "c.png: 60 x 48 pixels" and "1/1" in ended.err
    dreamt, plain = (read_picture(Path(n)).pixels.astype(float) for n in ("c.png", "a.png"))
    change = np.abs(dreamt - plain)
    assert dreamt.shape == (48, 60, 3) and 0.5 < change.mean() < 6  # two octaves, two steps of 1.5
    before = Path("c.png").read_bytes()
    assert command("a.png", "c.png", *SMALL).code == 0 and Path("c.png").read_bytes() == before
    assert command("a.png", "c.png", *SMALL, "--seed", "1").code == 0
    assert Path("c.png").read_bytes() != before


def test_a_film_is_a_gif_of_as_many_frames(squeezenet, command):
    ended = command("a.png", "c.gif", *SMALL, "--zoom", "3", "--no-clip")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == "c.gif: 3 frames of 60 x 48 pixels"
    with Image.open("c.gif") as film:
        assert film.n_frames == 3 and film.size == (60, 48) and film.info["loop"] == 0


def test_a_guide_of_another_size(squeezenet, command):
    words = ("--size", "60", "--guide", "b.jpg", *SMALL)
    assert command("a.png", "c.jpg", *words).code == 0
    assert command("a.png", "d.jpg", *words[2:], "--guide", "a.png").code == 0
    assert Path("c.jpg").read_bytes() != Path("d.jpg").read_bytes()


def test_what_is_transparent_stays_so_and_large_images_are_shrunk(squeezenet, command):
    clear = image(120, 96, "RGBA")
    clear.save("in.png")
    ended = command("in.png", "c.png", *SMALL, "--size", "60")
    assert ended.code == 0, ended.err
    with Image.open("c.png") as found:
        assert found.mode == "RGBA" and found.size == (60, 48)
    image(60, 48, "L").save("grey.png")
    assert command("grey.png", "g.png", *SMALL).code == 0
    assert Image.open("g.png").mode == "RGB"


MISTAKES = {
    "no file": (("gone.png", "c.png"), "gone.png: there is no such file"),
    "no image": (("text.png", "c.png"), "text.png is not an image"),
    "ending": (("a.png", "c.xyz"), "c.xyz: a name must end in .png"),
    "film": (("a.png", "c.png", "--zoom", "2"), "c.png: a film's name must end in .gif"),
    "still": (("a.png", "c.gif"), "c.gif: a name must end in .png"),
    "nowhere": (("a.png", "no/c.gif", "--zoom", "2"), "no/c.gif: No such file or directory"),
    "layer": (
        ("a.png", "c.png", "--layer", "fire10"),
        "--layer: squeezenet1_1 has no layer fire10",
    ),
    "flat": (
        ("a.png", "c.png", "--layer", "logits", "--guide", "b.jpg"),
        "logits has no positions",
    ),
    "octaves": (("a.png", "c.png", "--octaves", "4"), "too few, squeezenet1_1 needs 25"),
    "small guide": (("a.png", "c.png", "--guide", "dot.png"), "dot.png: 1 x 1 pixels are too few"),
    "scale": (("a.png", "c.png", "--octave-scale", "1"), "--octave-scale must be above 1"),
    "step": (("a.png", "c.png", "--step", "nan"), "--step must be above 0"),
    "share": (("a.png", "c.png", "--zoom-share", "1"), "--zoom-share must be between 0 and 1"),
    "iterations": (("a.png", "c.png", "--iterations", "0"), "--iterations must be at least 1"),
    "megapixels": (("a.png", "c.png", "--max-megapixels", "0.001"), "has more than 1,000 pixels"),
    "transparent": (("clear.png", "c.jpg"), "c.jpg"),
    "option": (("a.png", "c.png", "--octave", "2"), "perhaps you meant --octave"),
    "weights folder": (("a.png", "c.png", "--weights-dir", "gone"), "--weights-dir gone"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, squeezenet, command):
    words, said = MISTAKES[name]
    Path("text.png").write_text("hello")
    image(1, 1).save("dot.png")
    image(60, 48, "RGBA").save("clear.png")
    before = files()
    own = () if "--octaves" in words else ("--octaves", "2")
    ended = command(*words, "--network", "squeezenet1_1", *own)
    assert ended.code in (1, 2) and files() == before
    assert ended.err.startswith("deepdream: ") and said in ended.err, ended.err
    assert len(ended.err.splitlines()) == 1


def test_more_pixels_than_memory_are_refused_with_the_size_that_fits(command, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2**30)
    image(60, 48).resize((2400, 1920)).save("large.png")
    words = ("large.png", "c.png", "--network", "googlenet", "--max-megapixels", "9")
    monkeypatch.setattr("lib.pictures.picture.free_memory", lambda: None)
    ended = command(*words, "--size", "2400")
    assert ended.code == 2 and "GiB with googlenet, 1.0 GiB are free: --size" in ended.err


def test_help_answers_without_jax():
    said = help_without_jax("experiments.deepdream", "dream")
    for words in ("--layer NAME", "--guide IMAGE", "--zoom", "--octaves"):
        assert words in said


def test_memory_grows_by_about_as_much_as_is_said(squeezenet):
    """What the compiled program takes beside its arguments."""
    network = prepare(squeezenet)
    side, layer = 129, LAYERS["squeezenet1_1"].default
    image = jax.ShapeDtypeStruct((side, side, 3), jnp.float32)
    data = (network.params, energy(layer), jnp.zeros((1, 1, 3)))
    program = compiled_climb(network.features).lower(
        image, data, as_data(Settings()), jax.random.key(0)
    )
    needed = program.compile().memory_analysis().temp_size_in_bytes / side**2
    assert 0.4 * LAYERS["squeezenet1_1"].bytes_a_pixel < needed
    assert needed < LAYERS["squeezenet1_1"].bytes_a_pixel


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_drawn_from_a_result_alone(name, deepdream_smoke):
    drawn = figures.FIGURES[name].draw(deepdream_smoke[2])
    if name == "zoom":
        assert len(drawn) == deepdream_smoke[0].frames
    else:
        assert any(axis.images or axis.lines or axis.patches for axis in drawn.axes)
    plt.close("all")


def test_the_figures_show_what_was_found(deepdream_smoke):
    config, _, result = deepdream_smoke
    axes = figures.layers(result).axes
    titles = [axis.get_title() for axis in axes if axis.get_title()]
    studied = list(LAYERS[config.network].studied)
    assert titles == ["photograph", *studied] * 2
    bars = figures.dogs(result).axes[0]
    heights = [patch.get_height() for patch in bars.patches]
    metrics = [result.metrics[f"dogs_{n}"][0] for n in ("before", "random", "after")]
    assert heights == pytest.approx(metrics)
    assert result.metrics["dogs_gain"][0] == pytest.approx(metrics[2] - metrics[0])
    assert 0 <= min(metrics) and result.metrics["outside"] == [0]
    plt.close("all")
