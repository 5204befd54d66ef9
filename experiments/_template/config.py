"""What the template sets, is made of and states. Light: imports no JAX.

A paper with many claims keeps them in `claims.py`.
"""

from dataclasses import dataclass
from typing import Literal

from lib.run.claims import Claim
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "PARTS", "PRESETS", "TITLE", "Config"]

TITLE = "A Stochastic Approximation Method (Robbins and Monro, 1951)"


@dataclass(frozen=True)
class Config:
    """A regression. Each field says what the paper has, and where."""

    points: int = 256
    """Measured, with noise (paper: not said)."""
    steps: int = 20_000
    """Of stochastic approximation (paper: to infinity)."""
    batch: int = 4
    """Points an estimate of the gradient is made from."""
    step_size: float = 0.5
    """a_1 (paper: any)."""
    every: int = 100
    """Steps in one compiled call, and between two points of the curve."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(self, points=2, steps=1, batch=1, every=1, step_size=0)


PRESETS = {
    "smoke": Config(points=32, steps=200, every=50),
    "notebook": Config(points=32, steps=1_000),
    "laptop": Config(steps=4_000),
    "paper": Config(),
}

PARTS = {
    "least_squares": Part("Section 1: the root that is looked for", ("root_*",), data=("points",)),
    "theorem_2": Part(
        "Theorem 2, and constant steps beside it",
        ("distance_*", "ratio"),
        needs=("least_squares",),
        data=("points",),
        takes={"paper": "10 s on two cores"},
    ),
}

CLAIMS = (
    Claim(
        id="falling",
        where="Theorem 2",
        statement="Steps a/t end nearer to the root than constant ones: ratio of distances",
        paper="converges; constant steps do not",
        metric="ratio",
        part="theorem_2",
        kind="result",
        holds_if="at most",
        target=0.5,  # equal arms would score 1
        headline="falling steps find the root, constant ones stay about it",
    ),
    Claim(
        id="root",
        where="section 1",
        statement="At the root the mean gradient is zero: its largest component",
        paper="0",
        metric="root_gradient",
        part="least_squares",
        kind="identity",
        holds_if="at most",
        target=1e-4,
    ),
)
