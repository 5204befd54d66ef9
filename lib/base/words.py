"""The words of a command line as a dataclass, by tyro; mistakes in one line."""

import contextlib
import dataclasses
import io
import os
import re
import shutil
from pathlib import Path
from typing import Annotated, Any

import tyro

from lib.base.errors import UserError

Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]

# How tyro words what it finds wrong with a nested field's value, and how it colours what it says.
NESTED = re.compile(r"Error parsing (?:config\.|options\.|(?=--))([\w.-]+): (?:--)?")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
NARROWEST = 60
"""Columns below which help is not wrapped further."""


def read_options(kind: type, words: list[str], **about: Any) -> Any:
    """The dataclass `kind` as `words` of a command line fill it in.

    Args:
      about: tyro's `prog`, `description` and perhaps `default`.

    Raises:
      UserError: they cannot (code 2).
      SystemExit: they ask for help, which is printed.
    """
    about["config"] = [tyro.conf.FlagCreatePairsOff]
    if "--help" in words or "-h" in words:
        with _wide_enough():
            tyro.cli(kind, args=["--help"], **about)
    said = io.StringIO()
    words = _either_form(words, kind, about.get("default"))
    try:
        with contextlib.redirect_stderr(said), _wide_enough():
            return tyro.cli(kind, args=words, **about)
    except SystemExit:
        raise UserError(NESTED.sub(_flag, _one_line(said.getvalue())), 2) from None
    except ValueError as error:
        raise UserError(str(error), 2) from None


@contextlib.contextmanager
def _wide_enough():
    """A terminal of a few columns would make tyro wrap words for minutes."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


def _either_form(words: list[str], kind: type, default: Any) -> list[str]:
    """`words` with flags in the form that tyro offers: of --x and --no-x, the last one counts."""
    flags = dict(_flags(kind, default))
    negative = {f"{path}{dot}no-{last}" for path, dot, last in (n.rpartition(".") for n in flags)}
    asked, rest = {}, []
    for word in words:
        name = word.removeprefix("--").replace("_", "-")
        path, dot, last = name.rpartition(".")
        if word.startswith("--") and name in flags:
            asked[name] = True
        elif word.startswith("--") and name in negative:
            asked[f"{path}{dot}{last.removeprefix('no-')}"] = False
        else:
            rest.append(word)
    for name, value in asked.items():
        path, dot, last = name.rpartition(".")
        if value != flags[name]:
            rest.append(f"--{path}{dot}{'' if value else 'no-'}{last}")
    return rest


def _flags(kind: type, default: Any, prefix: str = ""):
    """`(name as typed, default)` of each field that is true or false."""
    for field in dataclasses.fields(kind):
        value = field.default if default is None else getattr(default, field.name)
        name = prefix + field.name.replace("_", "-")
        if isinstance(value, bool):
            yield name, value
        elif dataclasses.is_dataclass(value):
            own = field.name in ("options", "config") and not prefix
            yield from _flags(type(value), value, prefix if own else f"{name}.")


def _flag(match: re.Match) -> str:
    """The option as it is typed, once."""
    name, rest = match[1].removeprefix("--"), match.string[match.end() :]
    if match[0].endswith("--"):
        return "--" if rest.startswith(f"{name}.") else f"--{name}."
    return f"--{name}: "


def _one_line(box: str) -> str:
    """The first paragraph of tyro's boxed message, and its guess at what was meant."""
    paragraphs, current = [], []
    for line in COLORS.sub("", box).splitlines()[1:]:
        words = line.strip().strip("│╭╮╰╯|+").strip()
        if set(words) <= set("-─"):
            if current:
                paragraphs.append(current)
            current = []
        else:
            current.append(words)
    message = " ".join(paragraphs[0]) if paragraphs else "cannot read the options"
    guess = next((p[1] for p in paragraphs if p[0].startswith("Perhaps")), "")
    return message + (f"; perhaps you meant {guess}" if guess else "") + " (see --help)"
