"""The words of a command line: presets, fields, and how to run; mistakes in one line.

Nothing heavy is imported here, so that `--help` and mistakes answer at once.
"""

import dataclasses
import importlib.util
import math
import textwrap
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lib.base.errors import UserError
from lib.base.files import flat
from lib.base.words import Folder, read_options
from lib.run.paper import PRESETS, Paper

USAGE = """{title}
  python -m {package} [smoke|notebook|laptop|paper] [options]
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

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="PART ...", help_behavior_hint="")]

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
    coordinator: Annotated[
        str | None, tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="")
    ] = None
    """Several processes compute this run together and meet here (SLURM's steps need no such words)."""
    processes: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """How many there are."""
    process: Annotated[int | None, tyro.conf.arg(metavar="I", help_behavior_hint="")] = None
    """Which of them this is, from 0 on; 0 alone writes."""
    spread_parameters: bool = False
    """Devices that share a minibatch hold a piece each of large parameters, not all of them."""
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
        for name in ("data_dir", "weights_dir"):
            folder = getattr(self, name, None)
            if folder is not None and not folder.expanduser().is_dir():
                raise ValueError(f"--{name.replace('_', '-')} {folder}: there is no such folder")


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
    paper.check(given.config)
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
