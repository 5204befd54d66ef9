"""What the run engine knows of a paper: its folder under `experiments/`, read without JAX."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.run.claims import Claim
from lib.run.files import read_json

PRESETS = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class Paper:
    """`experiments/<name>`: `config.py` is read here, the rest when it is run.

    Attributes:
      name: of the folder.
      package: e.g. "experiments.gan".
      folder: on the disk.
      title: the citation's title.
      presets: a frozen config a preset.
      claims: what the paper states.
      commands: more that its command line does: how `<package>.<name>.main(words)` is used, by name.
      pretrained: names of the networks (`lib.data.networks`) whose weights it may load; with any, its
        `load_data` is given the folders of data and of weights.
      about: `(config, weights_dir) -> words` for a run's first line, if there is more to say.
    """

    name: str
    package: str
    folder: Path
    title: str
    presets: Mapping[str, Any]
    claims: Sequence[Claim]
    commands: Mapping[str, str]
    pretrained: Sequence[str] = ()
    about: Callable[[Any, Path | None], str] | None = None

    @property
    def results(self) -> Path:
        """The folder of the committed records."""
        return self.folder / "results"

    def records(self) -> dict[str, dict]:
        """The committed records by name (`laptop`, `laptop-variant`, ...)."""
        names = [p for p in sorted(self.results.glob("*.json")) if p.stem.split("-")[0] in PRESETS]
        return {path.stem: read_json(path) for path in names}

    def module(self, name: str):
        """Imports `experiment`, `figures` or a command."""
        return importlib.import_module(f"{self.package}.{name}")


def load_paper(package: str) -> Paper:
    """The paper in `package`."""
    config = importlib.import_module(f"{package}.config")
    folder = Path(config.__file__).parent
    return Paper(
        name=folder.name,
        package=package,
        folder=folder,
        title=config.TITLE,
        presets=config.PRESETS,
        claims=config.CLAIMS,
        commands=getattr(config, "COMMANDS", {}),
        pretrained=getattr(config, "PRETRAINED", ()),
        about=getattr(config, "about", None),
    )


def all_papers(package: str = "experiments") -> list[Paper]:
    """Every paper below `package`, by name."""
    folders = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(folders) if m.ispkg)
    return [load_paper(f"{package}.{name}") for name in names]
