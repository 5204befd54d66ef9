"""A paper's own commands: listed, named when one is misspelt, and given the rest of the words."""

import pytest


def test_a_command_gets_its_words(run):
    ended = run("double", "21")
    assert ended.code == 0 and ended.out == "42\n"


def test_its_mistakes_are_one_line(run):
    ended = run("double", "x")
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert ended.err.startswith("toy: Error parsing INT: invalid literal")
    ended = run("double", "1", "--tims", "3")
    assert ended.code == 2 and "perhaps you meant --times" in ended.err


def test_its_help_is_its_own(run):
    ended = run("double", "--help")
    assert ended.code == 0 and "--times" in ended.out and "--steps" not in ended.out


@pytest.mark.parametrize("package, own", [("papers.toy", True), ("experiments.gan", False)])
def test_commands_are_listed(package, own, run):
    assert ("double NUMBER\n      print it" in run("--help", package=package).out) == own
    said = run("doubel", package=package).err
    assert said.endswith(f"and the commands figures, keep{', double' if own else ''}\n")
