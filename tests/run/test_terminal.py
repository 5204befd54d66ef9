"""Terminals, pipes, encodings, homes: whatever surrounds a run, it says what it can and ends."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from toy_runs import HERE, ROOT

from lib.base.errors import UserError
from lib.base.homes import user_folder
from lib.base.streams import printable

ENV = {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}", "TOY_FIGURES": "none"}
TOY = (sys.executable, "-m", "papers.toy")
QUICK = ("smoke", "--only", "points")


def ask(*words, command=TOY, **variables):
    env = {**os.environ, **ENV, **variables}
    env = {name: value for name, value in env.items() if value is not None}
    return subprocess.run([*command, *map(str, words)], env=env, capture_output=True, timeout=60)


def on_a_terminal(*words, columns="80"):
    """What a command prints to a terminal of its own."""
    master, slave = pty.openpty()
    env = {**os.environ, **ENV, "TERM": "xterm", "COLUMNS": columns}
    with subprocess.Popen(
        [*TOY, *words], stdin=slave, stdout=slave, stderr=slave, env=env
    ) as process:
        os.close(slave)
        said = b""
        while True:
            try:
                block = os.read(master, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not block:
                break
            said += block
    os.close(master)
    return process.returncode, said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "words, cause",
    [
        (("smoke", "--steps", "abc"), "--steps: invalid literal"),
        (("smoke", "--lerning-rate", "1"), "perhaps you meant --learning-rate"),
        (("smoke", "--precision", "int4"), "--precision"),
        (("double", "x"), "invalid literal"),
    ],
)
def test_a_mistake_keeps_its_cause_on_a_terminal(words, cause):
    code, said = on_a_terminal(*words)
    assert code == 2 and cause in said and said.count("\n") == 1 and "\x1b" not in said


@pytest.mark.parametrize("columns", ["1", "20"])
def test_help_on_a_narrow_terminal_ends(columns):
    done = ask("--help", COLUMNS=columns)
    assert done.returncode == 0 and done.stdout.count(b"\n") < 150


def test_what_an_encoding_lacks_is_replaced(tmp_path):
    for encoding in ("latin-1", "ascii"):
        done = ask(*QUICK, "--out", tmp_path / encoding, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        assert b"64 ? 0" in done.stdout or "64 ± 0".encode("latin-1") in done.stdout
    code = "import runpy, sys; sys.argv = ['experiments', 'gan']; runpy.run_module('experiments')"
    command = (sys.executable, "-m", "experiments")
    for words in ((), ("gan",)):
        done = ask(*words, command=command, PYTHONIOENCODING="latin-1")
        assert done.returncode == 0 and b"gan: Generative" in done.stdout, (code, done.stderr)
    done = ask("nope", command=command)
    assert done.returncode == 2 and b"no paper 'nope'; there are " in done.stderr


def test_a_name_that_is_not_utf_8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    done = subprocess.run(
        [*TOY, *QUICK, "--out", folder], env={**os.environ, **ENV}, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert os.path.exists(folder + b"/result.json")


def test_a_reader_that_leaves_ends_no_run(tmp_path):
    run = " ".join([*TOY, "smoke", "--only", "adam", "--out", str(tmp_path / "run")])
    env = {**os.environ, **ENV, "TOY_FIGURES": "all"}
    script = f"({run}; echo code $? >&2) 2>&1 >&3 3>&- | cat >&2"
    done = subprocess.run(
        ["bash", "-c", f"{{ {script}; }} 3>&1 | head -c 1 > /dev/null"],
        env=env,
        capture_output=True,
        timeout=60,
    )
    assert b"code 0" in done.stderr and b"roken pipe" not in done.stderr
    assert (tmp_path / "run" / "figures" / "curve.png").exists()


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "2>&- >&-", "<&- 2>&- >&-"])
def test_closed_streams(closed, tmp_path):
    run = " ".join([*TOY, "smoke", "--only", "adam", "--out", str(tmp_path / "run")])
    done = subprocess.run(
        ["bash", "-c", f"{run} {closed}"],
        env={**os.environ, **ENV},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0 and (tmp_path / "run" / "result.json").exists()


def test_a_user_without_a_home(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("TOY_DIR", raising=False)
    with pytest.raises(UserError, match="set TOY_DIR, or HOME"):
        user_folder("TOY_DIR", "x")
    monkeypatch.setenv("TOY_DIR", "/somewhere")
    assert user_folder("TOY_DIR", "x") == Path("/somewhere")


def test_an_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("TOY_DIR", "")
    assert user_folder("TOY_DIR", "x") == Path.home() / "x"


CACHE = """
import sys, jax
from lib.run.devices import choose, keep_compiled
keep_compiled(); choose("cpu")
print(jax.config.jax_compilation_cache_dir, jax.numpy.arange(2.0).dtype)
"""


def test_jaxs_own_variables(tmp_path):
    def said(**variables):
        done = ask(command=(sys.executable, "-c", CACHE), **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().split()

    own = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    assert said(XDG_CACHE_HOME="/x", JAX_ENABLE_X64="1") == ["/x/deep-morning", "float32"]
    assert said(**own) == [str(tmp_path), "float32"]
    nobody = f"""
from pathlib import Path
def home(): raise RuntimeError
Path.home = home
{CACHE}"""
    done = ask(command=(sys.executable, "-c", nobody), HOME=None, XDG_CACHE_HOME=None)
    assert done.stdout.decode().split() == ["None", "float32"], done.stderr


def test_another_lib_is_named_in_one_line(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").touch()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import experiments"
    done = ask(tmp_path, command=(sys.executable, "-c", code))
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert f"the package lib is another one here ({tmp_path}/lib/".encode() in done.stderr


def test_what_moves_the_cursor_is_written_out():
    assert printable("a\x1b[31m\rb\nc\u202e") == "a\\x1b[31m\\rb\nc\\u202e"
