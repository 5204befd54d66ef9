"""Splits, sets and images that there are not: one line that names the option, before JAX starts."""

import subprocess
import sys

import pytest

from lib.base.errors import UserError
from lib.run.options import parse
from lib.run.paper import load_paper

UNKNOWN = [
    (
        "gan",
        ("--train-split", "nope"),
        "--train-split: split 'nope': there is no 'nope', only train",
    ),
    (
        "gan",
        ("--valid-split", "train[70000:]"),
        "--valid-split: split 'train[70000:]': empty or out",
    ),
    ("gan", ("--test-split", "test[:"), "--test-split: split 'test[:': expected e.g."),
    ("srcnn", ("--train", "set5"), "--train: split 'train': there is no 'train', only test (5)"),
    ("srcnn", ("--test", "set6"), "--test: there is no dataset 'set6', only bsd100, bsd200,"),
    ("srcnn", ("--test", "digits"), "--test: digits is not a set of photographs"),
    ("vdsr", ("--analysed", "t91", "t91[:3]"), "--analysed: t91 is named twice"),
    ("vdsr", ("--test", "photographs[9:]"), "--test: split 'test[9:]': empty or out of range"),
    ("neural_style", ("--content", "photographs/nope"), "--content: there is no image 'nope' in"),
    (
        "neural_style",
        ("--styles", "style_images/x"),
        "--styles: there is no image 'x' in style_images",
    ),
]


@pytest.mark.parametrize("paper, words, said", UNKNOWN, ids=[" ".join(w) for _, w, _ in UNKNOWN])
def test_what_there_is_not_is_refused_by_its_option(paper, words, said):
    with pytest.raises(UserError) as refused:
        parse(load_paper(f"experiments.{paper}"), ["laptop", *words])
    assert str(refused.value).startswith(said) and refused.value.code == 2


def test_no_jax_is_needed_for_that():
    command = (
        "import sys\nfrom lib.run.cli import main\n"
        "try:\n    main('experiments.gan', ['laptop', '--train-split', 'nope'])\n"
        "except SystemExit as left:\n    sys.exit(left.code if 'jax' not in sys.modules else 99)"
    )
    ended = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr.startswith("gan: --train-split: split 'nope'")
