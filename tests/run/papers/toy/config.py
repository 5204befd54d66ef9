"""What the toy sets and states."""

from dataclasses import dataclass
from typing import Literal

from lib.run.claims import Claim
from lib.run.paper import Part

TITLE = "A line through points (nobody, never)"


@dataclass(frozen=True)
class Tuning:
    """The second training."""

    steps: int = 40
    """Updates by momentum."""

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"--steps must be at least 1, not {self.steps}")


@dataclass(frozen=True)
class Config:
    """A regression, twice."""

    steps: int = 40
    """Updates by Adam."""
    every: int = 5
    """Updates in one compiled call."""
    learning_rate: float = 1e-2
    """Of both."""
    busy: int = 0
    """Rounds of a loop in XLA that the evaluation waits for."""
    precision: Literal["float32"] = "float32"
    """Of the products."""
    tuning: Tuning = Tuning()
    """The second training."""

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"--steps must be at least 1, not {self.steps}")


COMMANDS = {"double": "double NUMBER\n      print it twice as large"}

PRESETS = {
    "smoke": Config(),
    "notebook": Config(steps=50),
    "laptop": Config(steps=60),
    "paper": Config(steps=80),
}

PARTS = {
    "adam": Part("Section 1", ("loss_adam",), data=("points",), takes={"paper": "1 s on a H100"}),
    "momentum": Part("Table 1", ("loss",), needs=("adam",), data=("points",)),
    "points": Part("Section 2", ("points_*",), data=("more_points",)),
}

CLAIMS = (
    Claim(
        id="fits",
        where="section 1",
        statement="The net fits its points",
        paper="0",
        metric="loss",
        part="momentum",
        kind="result",
        holds_if="at most",
        target=10,
        presets=("smoke", "laptop"),
        headline="a net fits its points",
    ),
    Claim(
        id="real",
        where="Table 1",
        statement="The net fits real points",
        paper="0",
        metric="loss",
        part="momentum",
        kind="result",
        holds_if="at most",
        target=10,
        presets=("smoke", "laptop"),
        dataset="points",
    ),
    Claim(
        id="adam-fits",
        where="section 1",
        statement="Adam alone fits them",
        paper="-",
        metric="loss_adam",
        part="adam",
        kind="mechanism",
        holds_if="at most",
        target=10,
        presets=("smoke", "laptop", "paper"),
    ),
    Claim(
        id="many",
        where="section 2",
        statement="There are 64 points",
        paper="64",
        metric="points_there",
        part="points",
        kind="pipeline",
        holds_if="within",
        target=64,
        presets=("smoke", "laptop"),
    ),
)
