"""Requests that cannot be met: one line, a code, and nothing written."""

import dataclasses
import os
import re
import shutil
import sys
import time

import jax
import pytest
from papers.toy import config as toy_config
from papers.toy import experiment as toy_experiment

from lib.base.errors import UserError
from lib.base.words import read_options

REFUSED = [
    (("smoke", "--steps", "-5"), "--steps must be at least 1, not -5"),
    (("smoke", "--tuning.steps", "0"), "--tuning.steps must be at least 1, not 0"),
    (("--preset", "nope"), "name the preset first"),
    (("--preset=nope",), "name the preset first"),
    (("nope",), "unknown preset 'nope'; there are smoke, notebook, laptop, paper"),
    (("smoke", "--learning-rate", "abc"), "--learning-rate: could not convert"),
    (("smoke", "--learning-rate", "nan"), "--learning-rate must be a finite number"),
    (("smoke", "--learning-rate", "inf"), "--learning-rate must be a finite number"),
    (("smoke", "--steps", "1.5"), "--steps: invalid literal"),
    (("smoke", "--steps"), "'--steps'"),
    (("smoke", "--lerning-rate", "1"), "perhaps you meant --learning-rate"),
    (("smoke", "--tuning.stops", "1"), "perhaps you meant --tuning.steps"),
    (("smoke", "--precision", "int4"), "'--precision'"),
    (("smoke", "--seeds", "0"), "--seeds must be at least 1, not 0"),
    (("smoke", "--seed", "-1"), "--seed must be in"),
    (("smoke", "--seed", str(2**31)), "--seed must be in"),
    (("smoke", "--checkpoint-seconds", "-1"), "--checkpoint-seconds must be at least 0"),
    (("smoke", "--checkpoint-seconds", "nan"), "--checkpoint-seconds must be at least 0"),
    (("smoke", "--device", "abacus"), "'--device'"),
    (("smoke", "--tensorboard"), "--tensorboard needs one more package: pip install tensorboardX"),
    (("smoke", "--weights-dir", "x"), "--weights-dir: this paper has no pretrained networks"),
    (("smoke", "--seeds", "1000000000"), "--seeds must be at most 1000"),
    (("smoke", "--seed", "2147483647", "--seeds", "2"), "seeds are below 2^31"),
    (("smoke", "--steps", "a\x1b[31mb"), "--steps: invalid literal"),
    (("smoke", "--tuning.steps", "x"), "--tuning.steps: invalid literal"),
    (("smoke", "--minutes", "0"), "--minutes must be above 0, not 0"),
    (("smoke", "--minutes", "nan"), "--minutes must be above 0, not nan"),
    (("smoke", "--only", "adam", "adma"), "no part 'adma'; there are adam, momentum, points"),
    (("smoke", "--resume"), "config.json: no such file"),
]


@pytest.mark.parametrize("words, said", REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_a_refusal_is_one_line_and_writes_nothing(words, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = run(*words, "--out", "run")
    assert ended.code == 2
    assert re.fullmatch(rf"toy: .*{re.escape(said)}.*\n", ended.err), ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out, said", [("", "--out must name a folder"), ("x" * 300, "too long")])
def test_a_run_gets_a_folder_of_its_own(out, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run("smoke", "--out", out)
    assert ended.code == 2 and said in ended.err and len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_control_characters_are_not_echoed(run):
    for words in (("a\x1b[31mb\rc",), ("smoke", "--only", "a\x07")):
        ended = run(*words)
        assert ended.code == 2 and ended.err.strip().isprintable()


@pytest.mark.parametrize(
    "words, value",
    [
        ((), True),
        (("--turn",), True),
        (("--no-turn",), False),
        (("--no-turn", "--turn"), True),
        (("--turn", "--no-turn"), False),
    ],
)
def test_both_forms_of_a_flag_are_accepted_and_the_last_one_counts(words, value):
    @dataclasses.dataclass(frozen=True)
    class Inner:
        turn: bool = True

    @dataclasses.dataclass(frozen=True)
    class Outer:
        turn: bool = True
        off: bool = False
        inner: Inner = Inner()

    assert read_options(Outer, list(words)) == Outer(turn=value)
    inner = [word.replace("turn", "inner.turn").replace("no-inner.", "inner.no-") for word in words]
    assert read_options(Outer, inner, default=Outer()).inner.turn == value
    opposite = [f"--no-{w[2:]}" if "no-" not in w else f"--{w[5:]}" for w in words]
    off = [word.replace("turn", "off") for word in opposite]
    assert read_options(Outer, off).off == (bool(words) and not value)


def test_what_a_run_was_refused_for_leaves_no_folder(run, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise UserError("too large", 2)

    monkeypatch.setitem(toy_experiment.PARTS, "adam", refuse)
    assert run("smoke", "--out", tmp_path / "run").code == 2
    assert list(tmp_path.iterdir()) == []
    assert run("smoke", "--only", "points", "--out", tmp_path / "run").code == 0
    assert run("smoke", "--out", tmp_path / "run", "--resume").code == 2
    assert (tmp_path / "run" / "parts" / "points").exists()


def test_resume_needs_to_know_the_run(run):
    ended = run("smoke", "--resume")
    assert ended.code == 2 and ended.err.startswith("toy: --resume needs --out")


def test_a_gpu_that_is_not_there_is_refused(spawn, tmp_path):
    if jax.default_backend() == "gpu":
        pytest.skip("there is a GPU")
    process = spawn("smoke", "--device", "gpu", "--out", tmp_path / "run")
    assert process.wait() == 2 and not (tmp_path / "run").exists()
    assert process.said().startswith("toy: --device gpu: JAX finds")
    assert len(process.said().splitlines()) == 1


def test_a_data_folder_that_is_not_there_is_refused(run, tmp_path):
    words = ("smoke", "--data-dir", tmp_path / "nope", "--out", tmp_path / "run")
    ended = run(*words, package="experiments.gan")
    assert ended.code == 2 and list(tmp_path.iterdir()) == []
    assert ended.err == f"gan: --data-dir {tmp_path / 'nope'}: there is no such folder\n"


def test_a_paper_with_pretrained_networks_is_told_their_folder(run, tmp_path, monkeypatch):
    asked = []

    def load_data(config, data_dir, weights_dir, only):
        asked.append((data_dir, weights_dir))
        raise UserError("that is enough", 3)

    monkeypatch.setattr(toy_config, "PRETRAINED", ("vgg19",), raising=False)
    monkeypatch.setattr(toy_experiment, "load_data", load_data)
    words, weights = ("smoke", "--device", "cpu", "--out", tmp_path / "run"), tmp_path / "weights"
    ended = run(*words, "--weights-dir", weights)
    assert ended.code == 2 and f"--weights-dir {weights}: there is no such folder" in ended.err
    weights.mkdir()
    ended = run(*words, "--data-dir", tmp_path, "--weights-dir", weights)
    assert ended.code == 3 and "float32, seed 0, in" in ended.out
    run(*words)
    assert asked == [(tmp_path, weights), (None, None)]


def test_a_paper_may_add_to_the_first_line(run, tmp_path, monkeypatch):
    def about(config, weights_dir):
        return f"{config.steps} steps with {weights_dir}"

    monkeypatch.setattr(toy_config, "about", about, raising=False)
    ended = run("smoke", "--steps", "3", "--tuning.steps", "2", "--out", tmp_path / "run")
    assert ended.code == 0
    first = ended.out.splitlines()[0]
    assert first.endswith(f", float32, 3 steps with None, seed 0, in {tmp_path / 'run'}")


@pytest.mark.parametrize("below", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_refused(below, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = run("smoke", "--out", tmp_path / below)
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert ended.err.startswith(f"toy: cannot write to {tmp_path / below}: ")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "command, words",
    [
        *[("figures", words) for words in ((), ("--help",), ("a", "b"), ("-b",))],
        *[("keep", words) for words in ((), ("--help",), ("--variant", "x"))],
    ],
)
def test_how_figures_and_keep_are_used(command, words, run):
    ended = run(command, *words)
    assert ended.code == 2 and f"usage: python -m papers.toy {command} RUN" in ended.err


@pytest.mark.parametrize("command", ["figures", "keep"])
def test_a_folder_that_is_no_run(command, run, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        ended = run(command, place)
        assert ended.code == 2
        assert ended.err == f"toy: {place / 'config.json'}: no such file\n"
    (tmp_path / "config.json").write_text('{"paper": "gan"}')
    ended = run(command, tmp_path)
    assert ended.code == 2 and "is a run of gan, not of toy" in ended.err


DAMAGED = [
    ("config.json", b'{"paper": "toy", "metr'),
    ("config.json", b"[]"),
    ("config.json", b"null"),
    ("config.json", b'"toy"'),
    ("config.json", b"{}"),
    ("parts/adam/result.json", b"[]"),
    ("parts/adam/result.json", b"{}"),
    ("parts/adam/history.jsonl", b'["training"'),
    ("parts/adam/history.jsonl", b"7\n"),
    ("parts/adam/history.jsonl", None),
    ("parts/adam/arrays.npz", b"PK\3\4 and no more"),
    ("parts/adam/arrays.npz", b""),
    ("parts/adam/arrays.npz", None),
]


@pytest.mark.parametrize("name, content", DAMAGED)
def test_a_damaged_result_is_named(name, content, whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    for command in ("figures", "keep") if name.endswith("result.json") else ("figures",):
        ended = run(command, folder)
        assert ended.code != 0 and len(ended.err.splitlines()) == 1
        assert str(folder / name) in ended.err


@pytest.mark.parametrize("content", ["[]", "null", '"words"', "{}", "[" * 100_000])
def test_a_run_with_a_damaged_config_is_not_resumed(content, whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "config.json").write_text(content)
    ended = run("smoke", "--seeds", 2, "--out", folder, "--resume")
    assert ended.code != 0 and str(folder) in ended.err and len(ended.err.splitlines()) == 1


def test_a_metrics_file_that_is_a_folder(whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "metrics.jsonl").unlink()
    (folder / "metrics.jsonl").mkdir()
    ended = run("smoke", "--seeds", 2, "--out", folder, "--resume")
    assert ended.code != 0 and "metrics.jsonl" in ended.err and len(ended.err.splitlines()) == 1


def test_arrays_with_flipped_bits_are_named(whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    arrays = folder / "parts" / "adam" / "arrays.npz"
    content = arrays.read_bytes()
    for start in range(0, len(content), len(content) // 7):
        damaged = bytearray(content)
        damaged[start : start + 20] = b"\xaa" * len(damaged[start : start + 20])
        arrays.write_bytes(damaged)
        ended = run("figures", folder)
        assert ended.code == 0 or f"{arrays} is damaged" in ended.err


def test_help_shows_each_field_with_its_words_within_80_columns(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ended = run("smoke", "--help")
    assert ended.code == 0
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", ended.out).split())
    for words in (
        "A line through points",
        "python -m papers.toy [smoke|notebook|laptop|paper] [options]",
        "python -m papers.toy figures RUN",
        "adam Section 1",
        "momentum Table 1; needs adam",
        "--only PART ...",
        "--minutes MINUTES Leave within so many minutes",
        "the values below are those of `smoke`",
        "--steps INT Updates by Adam. (default: 40)",
        "--tuning.steps INT Updates by momentum. (default: 40)",
        "--seeds INT How many seeds, from the first on",
        "--out RUN The run's folder",
        "--device {auto,cpu,gpu,tpu}",
        "--tensorboard Also write metrics",
    ):
        assert words in text, words
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "(default: 60)" in run("laptop", "--help").out


def test_a_loss_that_is_not_finite_stops_the_run(run, tmp_path):
    folder = tmp_path / "run"
    words = ("--learning-rate", "40", "--tuning.steps", "2000", "--checkpoint-seconds", "0")
    ended = run("smoke", *words, "--out", folder)
    said = ended.err.splitlines()[-1]
    found = re.fullmatch(
        r"toy: momentum: (loss|state) is not finite at step (\d+); last good checkpoint: (.*)", said
    )
    assert ended.code == 1 and found, said
    good = folder / "checkpoints" / "momentum"
    assert found[3] in ("none yet", str(good / found[3].split("/")[-1]))
    if found[3] != "none yet":
        assert int(found[3].split("/")[-1]) < int(found[2]) and os.path.isdir(found[3])
    assert not (folder / "result.json").exists()


def test_a_terminal_less_progress_bar_is_a_few_lines(run, tmp_path):
    started = time.monotonic()
    ended = run("smoke", "--out", tmp_path / "run")
    states = re.split(r"[\r\n]+", ended.err.strip())
    assert len(states) <= 4 + (time.monotonic() - started) / 15
    assert "adam: 100%" in ended.err and "momentum: 100%" in ended.err
