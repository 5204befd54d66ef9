"""What the toy sets and states."""

from dataclasses import dataclass
from typing import Literal

from lib.run.claims import Claim

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

PRESETS = {"smoke": Config(), "laptop": Config(steps=60), "paper": Config(steps=80)}

CLAIMS = (
    Claim(
        id="fits",
        where="section 1",
        statement="The net fits its points",
        paper="0",
        metric="loss",
        holds_if="at most",
        target=10,
        presets=("smoke", "laptop"),
    ),
    Claim(
        id="real",
        where="Table 1",
        statement="The net fits real points",
        paper="0",
        metric="loss",
        holds_if="at most",
        target=10,
        presets=("smoke", "laptop"),
        dataset="points",
    ),
)
