"""The catalogue is a file of data: a mistake in it is named, and what it says is what the code knows."""

import pytest

from lib.base.errors import UserError
from lib.data import catalogue, readers

SOUND = """
[made]
kind = "photographs"
layout = "named_images"
sizes = { train = 2 }
address = "http://somewhere"
[made.files]
"a.png" = { split = "train", size = 3, sha256 = "%s" }
""" % ("0" * 64)


def test_an_entry_is_what_the_file_says():
    entry = catalogue.read(SOUND)["made"]
    assert (entry.name, entry.version, entry.licence) == ("made", "1.0.0", "none stated")
    assert entry.files == {"a.png": catalogue.File(sha256="0" * 64, size=3, split="train")}
    assert entry.url("a.png") == "http://somewhere/a.png" and entry.images == {"a"}


@pytest.mark.parametrize(
    "sound, wrong, said",
    [
        ("sizes =", "siezs =", "siezs"),
        ("sizes = { train = 2 }", "", "sizes"),
        ("train = 2", 'train = "2"', "sizes are positive numbers"),
        ("train = 2", "train = 0", "sizes are positive numbers"),
        ('"photographs"', '"pictures"', "kind 'pictures' is none of labelled, photographs"),
        ('split = "train"', 'split = "tain"', "'tain' is none of its splits, train"),
        ("size = 3", "bytes = 3", "bytes"),
        ("0" * 64, "0" * 63, "a.png has no SHA-256 of 64 hex digits"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_entry(sound, wrong, said):
    assert sound in SOUND
    with pytest.raises(UserError, match=said) as caught:
        catalogue.read(SOUND.replace(sound, wrong, 1))
    assert str(caught.value).startswith("the catalogue's entry made: ")
    assert "\n" not in str(caught.value)


def test_every_layout_has_a_reader_and_every_reader_a_layout():
    assert {entry.layout for entry in catalogue.ENTRIES.values()} == {"", *readers.READERS}


def test_of_what_is_served_the_size_is_known():
    for entry in catalogue.ENTRIES.values():
        assert not entry.address or all(file.size > 0 for file in entry.files.values())
