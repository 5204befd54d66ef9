"""`python -m experiments.adversarial fool IN OUT --target CLASS`: files of a person."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.adversarial import fool
from lib.pictures.picture import read_picture
from tests.experiments.commands import commander, files, help_without_jax


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """`command(*words)`: code, out, err; in an empty folder with `a.png`, 40 x 40."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(90, 160, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    return commander(capsys, "experiments.adversarial", "fool")


def test_a_file_that_is_taken_for_something_else(squeezenet, command):
    """What counts is the file: read again, the network says what was asked for."""
    ended = command("a.png", "b.png", "--target", "flamingo", "--epsilon", "24", "--sure", "0.6")
    assert ended.code == 0, ended.err
    first, before, after = ended.out.splitlines()
    assert first.startswith("adversarial: cpu") and before.startswith("a.png: class ")
    assert after.startswith("b.png: class 130 (flamingo), ") and "changed by at most" in after
    a, b = (read_picture(Path(n)).pixels.astype(int) for n in ("a.png", "b.png"))
    most = np.abs(a - b).max()
    assert 0 < most <= 24 and after.endswith(f"changed by at most {most} of 255")
    request = SimpleNamespace(epsilon=1, iterations=1, sure=0.99)
    again = fool.fooled(squeezenet, b.astype(np.float32), 130, request).before
    assert again.argmax() == 130 and f"{again[130]:.1%}" in after
    # One level, one step: not fooled, and nothing is written.
    words = ("--target", "3", "--epsilon", "1", "--iterations", "1")
    ended = command("a.png", "c.png", *words)
    assert ended.code == 1 and "not fooled: the network still says class" in ended.err
    assert not Path("c.png").exists()


MISTAKES = {
    "no file": (("gone.png", "b.png", "--target", "1"), "gone.png: there is no such file"),
    "no target": (("a.png", "b.png"), "--target CLASS"),
    "no class": (("a.png", "b.png", "--target", "cow"), "--target is a number from 0 to 999"),
    "class": (("a.png", "b.png", "--target", "1000"), "--target is a number from 0 to 999"),
    "jpeg": (("a.png", "b.jpg", "--target", "1"), "b.jpg: a name must end in .png, .tif, .tiff"),
    "small": (("dot.png", "b.png", "--target", "1"), "dot.png: 3 x 3 pixels are too few"),
    "nowhere": (("a.png", "no/b.png", "--target", "1"), "no/b.png: No such file or directory"),
    "epsilon": (
        ("a.png", "b.png", "--target", "1", "--epsilon", "0"),
        "--epsilon must be at least",
    ),
    "sure": (("a.png", "b.png", "--target", "1", "--sure", "1"), "--sure must be between 0 and 1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, command):
    words, said = MISTAKES[name]
    Image.new("RGB", (3, 3)).save("dot.png")
    before = files()
    ended = command(*words)
    assert ended.code == 2 and files() == before
    assert ended.err.startswith("adversarial: ") and said in ended.err, ended.err
    assert len(ended.err.splitlines()) == 1


def test_classes_have_numbers_and_some_names():
    assert fool.number_of("banana") == fool.number_of("954") == 954
    assert fool.named(954) == "class 954 (banana)" and fool.named(500) == "class 500"


def test_help_answers_without_jax():
    assert "--target CLASS" in help_without_jax("experiments.adversarial", "fool")
