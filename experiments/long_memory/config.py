"""What is set for long memory, and its parts. Light: imports no JAX.

"LSTM" is Hochreiter & Schmidhuber 1997, "BLSTM" Graves & Schmidhuber 2005.
"""

from dataclasses import dataclass, replace
from typing import Literal

from experiments.long_memory.claims import CLAIMS
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "PARTS", "PRESETS", "TITLE", "Config"]

TITLE = (
    "Long Short-Term Memory (Hochreiter and Schmidhuber, 1997), Bidirectional LSTM (Graves and "
    "Schmidhuber, 2005)"
)


@dataclass(frozen=True)
class Config:
    """Two tasks, and how networks learn them."""

    delays: tuple[int, ...] = (10, 30, 100)
    """Steps from the letter to be recalled to its recall; a training each (LSTM, task 2b: 100)."""
    letters: int = 8
    """Which mean nothing (LSTM, task 2b: one fewer than steps)."""
    recall_parameters: int = 5_000
    """Each network has as many units as come to no more (LSTM, task 2b: 10 504)."""
    keep: float = 3.0
    """What the biases of the LSTM's forget gate and of the GRU's update gate begin with."""
    spread: float = 0.2
    """The tanh network's matrix on its state begins in U(-spread, spread) (LSTM, section 5.2: 0.2)."""
    gain: float = 1.5
    """Times which an orthogonal matrix of tanh units is taken to show that errors explode."""
    recall_batch: int = 32
    """Sequences an update, drawn anew (LSTM: 1)."""
    recall_steps: int = 600
    """Updates of each network (LSTM, task 2b: 5 680 sequences, one an update)."""
    recall_test: int = 1_000
    """Sequences that choose the step size, and others that are tested on."""
    digits: int = 9
    """Of the longest numbers that are tagged."""
    train: int = 2_000
    """Numbers that taggers learn from (BLSTM: 3 696 sentences of TIMIT)."""
    validation: int = 600
    """Numbers that choose the step size."""
    test: int = 600
    """Numbers that are tested on."""
    length: int = 24
    """Words of the longest number, at least."""
    tagger_parameters: int = 5_000
    """Each tagger has as many units as come to no more (BLSTM: about 100 000)."""
    tagger_batch: int = 32
    """Numbers an update (BLSTM: 1)."""
    tagger_steps: int = 300
    """Updates of each tagger."""
    rates: tuple[float, ...] = (3e-3, 1e-2)
    """Adam's step sizes; each network is trained with each and keeps the best (papers: plain descent)."""
    clip: float = 1.0
    """Longest gradient (BLSTM: none; LSTM cuts the paths through the gates instead)."""
    every: int = 50
    """Updates in one compiled call, and between two points of a learning curve."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(
            self, letters=1, recall_parameters=100, recall_batch=1, recall_steps=1, recall_test=1
        )
        at_least(self, digits=7, train=1, validation=1, test=1, length=22, tagger_parameters=500)
        at_least(self, tagger_batch=1, tagger_steps=1, every=1, keep=0, spread=0, gain=0)
        if list(self.delays) != sorted(set(self.delays)) or min(self.delays, default=0) < 2:
            raise ValueError("--delays must be one or more, from 2 on, ascending")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError("--rates must be one or more numbers above 0")
        if not self.clip > 0:
            raise ValueError(f"--clip must be above 0, not {self.clip}")
        if self.digits > 9:
            raise ValueError(
                f"--digits must be at most 9, as billions have no tag, not {self.digits}"
            )
        if self.tagger_batch > self.train:
            raise ValueError(f"--tagger-batch must be at most --train, {self.train}")


_SMOKE = Config(
    delays=(4,),
    recall_parameters=200,
    recall_batch=4,
    recall_steps=4,
    recall_test=20,
    digits=7,
    train=40,
    validation=20,
    test=20,
    tagger_parameters=600,
    tagger_batch=4,
    tagger_steps=4,
    rates=(1e-3, 1e-2),
    every=4,
)
PRESETS = {
    "smoke": _SMOKE,
    "notebook": replace(
        Config(), delays=(10, 30), recall_steps=400, tagger_steps=200, rates=(1e-2,)
    ),
    "laptop": Config(),
    "paper": replace(Config(), delays=(10, 30, 100, 300, 1_000), recall_steps=5_000),
}

PARTS = {
    "recall": Part(
        "LSTM, task 2b: recall after growing delays, LSTM, GRU and tanh networks",
        ("recall_*",),
        data=("letters",),
    ),
    "gradients": Part(
        "LSTM, section 3: how much of an error reaches the steps before",
        ("flow_*",),
        needs=("recall",),
        data=("letters",),
    ),
    "tagging": Part(
        "BLSTM, Table 1: tagging by what came before, by what comes after, by both",
        ("tagging_*",),
        data=("numbers",),
    ),
}
