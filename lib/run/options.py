"""The words of a command line: presets, fields, and how to run; mistakes in one line.

Nothing heavy is imported here, so that `--help` and mistakes answer at once.
"""

import contextlib
import dataclasses
import importlib.util
import io
import math
import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lib.base.errors import UserError
from lib.base.files import flat
from lib.run.paper import PRESETS, Paper

USAGE = """{title}
  python -m {package} [smoke|laptop|paper] [options]
      run a preset (laptop if none is named)
  python -m {package} figures RUN
      draw the figures of what a run has finished again
  python -m {package} keep RUN... [--variant NAME]
      merge the parts of runs of one config, or of records, into a record of the
      paper's, to be committed
{commands}
Parts, in the order of computation; those with a * only when asked for by --only
{parts}

Any field can be overridden; the values below are those of `{preset}`.
"""

Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]
Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="PART ...", help_behavior_hint="")]

# How tyro words what it finds wrong with a nested field's value, and how it colours what it says.
NESTED = re.compile(r"Error parsing (?:config\.|options\.|(?=--))([\w.-]+): (?:--)?")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
NARROWEST = 60
"""Columns below which help is not wrapped further."""
MOST_SEEDS = 1000


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run, as opposed to what (the preset's fields)."""

    only: Names = ()
    """Compute these parts and what they need."""
    seed: int = 0
    """The first seed."""
    seeds: int = 1
    """How many seeds, from the first on; results are mean ± std over them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="")] = None
    """The run's folder (default: runs/<paper>/<preset>-<time>)."""
    resume: bool = False
    """Continue the run in --out, bit for bit; parts that are finished stay as they are."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="MINUTES", help_behavior_hint="")] = None
    """Leave within so many minutes with everything saved, and exit code 75 if there is more to do."""
    data_dir: Folder = None
    """A folder with the dataset's files, for a machine that cannot fetch them."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute; anything but auto fails when it is not there."""
    checkpoint_seconds: float = 30.0
    """At least this long between two checkpoints of one training."""
    tensorboard: bool = False
    """Also write metrics for TensorBoard (needs tensorboardX)."""

    def __post_init__(self):
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"--seed must be in [0, 2^31), not {self.seed}")
        if not 1 <= self.seeds <= MOST_SEEDS:
            bound = "at least 1" if self.seeds < 1 else f"at most {MOST_SEEDS}"
            raise ValueError(f"--seeds must be {bound}, not {self.seeds}")
        if self.seed + self.seeds > 2**31:
            raise ValueError(f"--seed {self.seed} --seeds {self.seeds}: seeds are below 2^31")
        if self.out == Path():
            raise ValueError("--out must name a folder of the run's own")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"--minutes must be above 0, not {self.minutes}")
        if not self.checkpoint_seconds >= 0:
            raise ValueError("--checkpoint-seconds must be at least 0")
        if self.resume and self.out is None:
            raise ValueError("--resume needs --out, the folder of the run to continue")
        if self.tensorboard and importlib.util.find_spec("tensorboardX") is None:
            raise ValueError("--tensorboard needs one more package: pip install tensorboardX")


@dataclasses.dataclass(frozen=True)
class OptionsWithWeights(Options):
    """... where a paper has pretrained networks."""

    weights_dir: Folder = None
    """A folder with pretrained networks' files, for a machine that cannot fetch them."""


def parse(paper: Paper, argv: list[str]) -> tuple[str, Any, Options]:
    """`(preset, config, options)`. Raises UserError (code 2) for what cannot be."""
    preset, rest = "laptop", list(argv)
    if rest and not rest[0].startswith("-"):
        preset = rest.pop(0)
    if preset not in PRESETS:
        known = f"{', '.join(PRESETS)}, and the commands {', '.join(('figures', 'keep', *paper.commands))}"
        raise UserError(f"unknown preset {preset!r}; there are {known}", 2)
    if any(word.split("=")[0] == "--preset" for word in rest):
        raise UserError(f"name the preset first: python -m {paper.package} laptop [options]", 2)
    if any(w.split("=")[0] == "--weights-dir" for w in rest) and not paper.pretrained:
        raise UserError("--weights-dir: this paper has no pretrained networks", 2)
    config = paper.presets[preset]
    kind, how = type(config), OptionsWithWeights if paper.pretrained else Options

    @dataclasses.dataclass(frozen=True)
    class Arguments:
        options: Annotated[how, tyro.conf.arg(name="")]
        config: Annotated[kind, tyro.conf.arg(name="")]

    asks = {"--help", "-h"} & set(rest)
    given = read_options(
        Arguments,
        rest,
        default=Arguments(how(), config),
        prog=f"python -m {paper.package} {preset}",
        description=_usage(paper, preset) if asks else "",
    )
    for name, value in flat(dataclasses.asdict(given.config)).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"--{name.replace('_', '-')} must be a finite number, not {value}", 2)
    paper.chosen(given.config, given.options.only)
    return preset, given.config, given.options


def _usage(paper: Paper, preset: str) -> str:
    from lib.report.tables import time_on_record

    config = paper.presets[preset]
    lines = []
    for name in paper.shown(config):
        part = paper.parts[name]
        more = sum(other.covers == part.covers for other in paper.parts.values()) > 1
        mark = "" if part.default(config) else " *"
        needs = f"; needs {', '.join(part.needs)}" if part.needs else ""
        each = ", and others likewise" if more and not part.default(config) else ""
        time = time_on_record(paper, name, preset)
        words = part.covers + needs + (f"; {time}" if time else "")
        lines += [f"  {name}{mark}{each}", textwrap.indent(textwrap.fill(words, 72), " " * 6)]
    commands = "".join(f"  python -m {paper.package} {c}\n" for c in paper.commands.values())
    return USAGE.format(
        title=paper.title,
        package=paper.package,
        preset=preset,
        commands=commands,
        parts="\n".join(lines),
    )


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
