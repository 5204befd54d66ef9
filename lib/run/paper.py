"""What the run engine knows of a paper: its folder under `experiments/`, read without JAX."""

import dataclasses
import fnmatch
import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.base.errors import UserError
from lib.run.claims import KINDS, Claim

PRESETS = ("smoke", "notebook", "laptop", "paper")
MOST_HEADLINES = 6
"""Rows of the table that a paper's README begins with."""


@dataclass(frozen=True)
class Part:
    """What a paper calls a table, a figure or a section, with what must be trained for it.

    Of one seed it is a pure function of the config: the same numbers alone or beside others. The
    function that computes it has its name in the `PARTS` of `experiment.py`.

    Attributes:
      covers: what of the paper ("Table 3, Figures 1 and 2").
      metrics: patterns (as of file names) of the metrics that it makes.
      needs: parts whose results it reads.
      data: what `load_data` must load for it, by the names in its result's `about`.
      default: whether a run under this config computes it when no parts are named.
      takes: preset -> how long it is expected to take, for parts without a record ("9 min on an H100").
    """

    covers: str
    metrics: tuple[str, ...]
    needs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    default: Callable[[Any], bool] = lambda config: True
    takes: Mapping[str, str] = field(default_factory=dict)

    def makes(self, metric: str) -> bool:
        """Whether `metric` is one of this part's."""
        return any(fnmatch.fnmatchcase(metric, pattern) for pattern in self.metrics)


@dataclass(frozen=True)
class Figure:
    """How a figure is drawn, and of which parts' results.

    `draw(result)` gets the results of `parts` together and returns a Matplotlib figure, a list of
    pictures (an animation), or None where there is nothing to show. With `any_of` it is drawn as soon as
    one of the parts is there.
    """

    draw: Callable[[Any], Any]
    parts: tuple[str, ...]
    any_of: bool = False


@dataclass(frozen=True)
class Paper:
    """`experiments/<name>`: `config.py` is read here, the rest when it is run.

    Attributes:
      name: of the folder.
      package: e.g. "experiments.gan".
      folder: on the disk.
      title: the citation's title.
      presets: a frozen config a preset.
      parts: what the paper is made of, by name, in the order in which it is computed.
      claims: what the paper states.
      selects: config fields that choose parts and change no number.
      commands: more that its command line does: how `<package>.<name>.main(words)` is used, by name.
      pretrained: names of the networks (`lib.pretrained.networks`) whose weights it may load; with any, its
        `load_data` is given the folders of data and of weights.
      about: `(config, weights_dir) -> words` for a run's first line, if there is more to say.
      check: raises UserError (code 2) if a config names data that there is not; before JAX starts.
    """

    name: str
    package: str
    folder: Path
    title: str
    presets: Mapping[str, Any]
    parts: Mapping[str, Part]
    claims: Sequence[Claim]
    selects: Sequence[str] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    pretrained: Sequence[str] = ()
    about: Callable[[Any, Path | None], str] | None = None
    check: Callable[[Any], None] = lambda config: None

    @property
    def results(self) -> Path:
        """The folder of the committed records."""
        return self.folder / "results"

    def records(self) -> dict[str, dict]:
        """The committed records by name (`laptop`, `laptop-variant`, ...).

        Raises:
          UserError: one is damaged.
        """
        from lib.report.records import read_record

        names = [p for p in sorted(self.results.glob("*.json")) if p.stem.split("-")[0] in PRESETS]
        return {path.stem: read_record(path, self) for path in names}

    def module(self, name: str):
        """Imports `experiment`, `figures` or a command."""
        return importlib.import_module(f"{self.package}.{name}")

    def identity(self, config: Any) -> dict[str, Any]:
        """The fields of `config` that decide a part's numbers."""
        fields = dataclasses.asdict(config)
        return {name: value for name, value in fields.items() if name not in self.selects}

    def chosen(self, config: Any, only: Sequence[str] = ()) -> list[str]:
        """The parts of a run, in order: `only`, or those of `config`, and what they need.

        Raises:
          UserError: there is no such part (code 2).
        """
        for name in only:
            if name not in self.parts:
                known = ", ".join(self.shown(config))
                raise UserError(f"--only: no part {name!r}; there are {known}", 2)
        wanted = set(only) or {n for n, part in self.parts.items() if part.default(config)}
        for name in reversed(self.parts):
            if name in wanted:
                wanted |= set(self.parts[name].needs)
        return [name for name in self.parts if name in wanted]

    def shown(self, config: Any) -> list[str]:
        """The parts worth listing: of several that cover the same, the first and those of `config`."""
        first = {part.covers: name for name, part in reversed(self.parts.items())}
        return [
            name
            for name, part in self.parts.items()
            if first[part.covers] == name or part.default(config)
        ]


def load_paper(package: str) -> Paper:
    """The paper in `package`.

    Raises:
      UserError: its config, parts and claims do not fit together; the line says where.
    """
    config = importlib.import_module(f"{package}.config")
    for name in ("TITLE", "PRESETS", "PARTS", "CLAIMS"):
        if not hasattr(config, name):
            raise UserError(f"{package}.config has no {name}")
    folder = Path(config.__file__).parent
    paper = Paper(
        name=folder.name,
        package=package,
        folder=folder,
        title=config.TITLE,
        presets=config.PRESETS,
        parts=config.PARTS,
        claims=config.CLAIMS,
        selects=getattr(config, "SELECTS", ()),
        commands=getattr(config, "COMMANDS", {}),
        pretrained=getattr(config, "PRETRAINED", ()),
        about=getattr(config, "about", None),
        check=getattr(config, "check", lambda config: None),
    )
    if wrong := next(_mistakes(paper), None):
        raise UserError(f"{package}.config: {wrong}")
    return paper


def _mistakes(paper: Paper):
    """What does not fit together, a line each."""
    for preset in PRESETS:
        if preset not in paper.presets:
            yield f"PRESETS lacks {preset}"
            continue
        config = paper.presets[preset]
        if not (dataclasses.is_dataclass(config) and type(config).__dataclass_params__.frozen):
            yield f"the preset {preset} is not a frozen dataclass"
            continue
        fields = {field.name for field in dataclasses.fields(config)}
        for name in ({"precision"} | set(paper.selects)) - fields:
            yield f"the preset {preset} has no field {name}"
    earlier: set[str] = set()
    for name, part in paper.parts.items():
        for other in part.needs:
            if other not in earlier:
                yield f"the part {name} needs {other}, which is no part declared before it"
        earlier.add(name)
    for id, times in Counter(claim.id for claim in paper.claims).items():
        if times > 1:
            yield f"{times} claims are called {id}"
    for claim in paper.claims:
        if claim.part not in paper.parts:
            yield f"the claim {claim.id} is measured by {claim.part}, which is no part"
        elif claim.kind not in KINDS:
            yield f"the claim {claim.id} is of the kind {claim.kind}, which is none of {', '.join(KINDS)}"
        elif not set(claim.presets) <= set(PRESETS):
            yield f"the claim {claim.id} is decided by {', '.join(claim.presets)}: not all are presets"
        elif claim.kind != "reference" and claim.target != claim.target:
            yield f"the claim {claim.id} has no target"
        else:
            for metric in (claim.metric, *([claim.baseline.metric] if claim.baseline else [])):
                if not paper.parts[claim.part].makes(metric):
                    yield f"the claim {claim.id} reads {metric}, which the part {claim.part} does not make"
    if sum(bool(claim.headline) for claim in paper.claims) > MOST_HEADLINES:
        yield f"more than {MOST_HEADLINES} claims have a headline"


def all_papers(package: str = "experiments") -> list[Paper]:
    """Every paper below `package`, by name; folders that begin with an underscore are none."""
    folders = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(folders) if m.ispkg)
    return [load_paper(f"{package}.{name}") for name in names if not name.startswith("_")]
