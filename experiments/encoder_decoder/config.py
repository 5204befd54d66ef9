"""What Cho et al. 2014 set, and the parts of their paper. Light: imports no JAX."""

from dataclasses import dataclass, replace
from typing import Literal

from experiments.encoder_decoder.claims import CLAIMS
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["ARMS", "CLAIMS", "PARTS", "PRESETS", "RESETS", "TITLE", "Config"]

TITLE = "Learning Phrase Representations using RNN Encoder-Decoder (Cho et al., 2014)"
ARMS = ("gru", "tanh", "lstm", "start")
"""The paper's network; with tanh units, with LSTM; and one whose decoder sees c at its start only."""
RESETS = ("after", "after_with_context")
"""The paper's network with the reset gate in the other places that are in print (see `lib.nn.recurrent`)."""


@dataclass(frozen=True)
class Config:
    """Phrases, the networks, and how they learn."""

    text: Literal["numbers", "moses_fr_en"] = "moses_fr_en"
    """Phrases of numbers in words, English to French, which num2words makes; or Moses' table of Europarl,
    French to English (paper: WMT 2014, English to French)."""
    digits: int = 6
    """Of the longest numbers."""
    sentences: int = 1_500
    """Numbers whose words are aligned, and phrases taken from them."""
    longest: int = 7
    """Words of a phrase."""
    pairs: int = 50_000
    """Different pairs of phrases, at most: drawn without regard to how often each was found (paper: so)."""
    held: int = 1_000
    """Source phrases that are not trained on but choose the step size, and as many others to test."""
    vocabulary: int = 15_000
    """Words a language, the most frequent (15 000)."""
    embedding: int = 100
    """Numbers a word: the rank of the input matrices (100)."""
    parameters: int = 4_000_000
    """Each network has as many units as come to no more (paper: 1000 units, 18 million)."""
    maxout: int = 125
    """Hidden units of the output (500)."""
    rank: int = 100
    """Of the output matrix; 0: full (100)."""
    reset: Literal["before", "after", "after_with_context"] = "before"
    """Where the GRU's reset gate is (paper's text: before; appendix, decoder: after_with_context)."""
    optimiser: Literal["adam", "adadelta"] = "adadelta"
    """(Adadelta.)"""
    rates: tuple[float, ...] = (1.0,)
    """Step sizes that each network is trained with, to the end; it keeps the best (1)."""
    clip: float = 1.0
    """Longest gradient (the authors' program: 1; the paper does not say)."""
    batch: int = 64
    """Pairs an update (64)."""
    steps: int = 20_000
    """Updates (three days)."""
    every: int = 100
    """Updates in one compiled call."""
    choices: int = 10
    """Targets among which the right one is looked for."""
    shown: int = 2_000
    """Pairs in Figure 3, at most (paper: not said)."""
    mapped: int = 500
    """Phrases on the map (paper: 5000, perhaps)."""
    neighbours: float = 20.0
    """t-SNE's perplexity (paper: not said)."""
    samples: int = 50
    """Targets sampled for a source phrase (50)."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(
            self, digits=3, sentences=10, longest=2, pairs=10, held=1, vocabulary=1, embedding=1
        )
        at_least(self, parameters=100, maxout=1, rank=0, batch=1, steps=1, every=1, choices=2)
        at_least(self, shown=10, mapped=10, neighbours=1, samples=1)
        if self.digits > 9:
            raise ValueError(f"--digits must be at most 9, not {self.digits}")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError("--rates must be one or more numbers above 0")
        if not self.clip > 0:
            raise ValueError(f"--clip must be above 0, not {self.clip}")
        if 3 * self.neighbours >= self.mapped:
            raise ValueError("--neighbours must be less than a third of --mapped")


_LAPTOP = Config(
    text="numbers",
    sentences=1_500,
    longest=6,
    pairs=4_000,
    held=300,
    embedding=24,
    parameters=40_000,
    maxout=32,
    rank=0,
    optimiser="adam",
    rates=(2e-3, 6e-3, 2e-2),
    steps=1_000,
    every=50,
    mapped=300,
)
PRESETS = {
    "smoke": replace(
        _LAPTOP,
        sentences=30,
        longest=4,
        pairs=150,
        held=15,
        embedding=4,
        parameters=1_500,
        maxout=4,
        rates=(2e-3, 2e-2),
        batch=8,
        steps=4,
        every=4,
        choices=3,
        shown=40,
        mapped=24,
        neighbours=5.0,
        samples=5,
    ),
    "notebook": replace(_LAPTOP, steps=500, rates=(1e-2,)),
    "laptop": _LAPTOP,
    "paper": Config(),
}

PARTS = {
    "networks": Part(
        "Section 2: the network with gates, with tanh units, with c at its start only",
        tuple(f"{arm}_*" for arm in ARMS) + ("gates_*", "context_*"),
        data=("phrases",),
    ),
    "resets": Part(
        "Section 2.3 and appendix A.1: the reset gate in the other places that are in print",
        tuple(f"{arm}_*" for arm in RESETS),
        data=("phrases",),
        default=lambda config: False,  # beside the paper: for --only
    ),
    "figure_3": Part(
        "Figure 3: the network's score of a pair against the table's",
        ("figure_3_*",),
        needs=("networks",),
        data=("phrases",),
    ),
    "table_2": Part(
        "Tables 2 and 3: the targets that table and network like best, and samples",
        ("table_2_*", "table_3_*"),
        needs=("networks",),
        data=("phrases",),
    ),
    "table_1": Part(
        "Table 1: translations by the phrase table, rescored with the network",
        ("table_1_*",),
        needs=("networks",),
        data=("phrases",),
        default=lambda config: config.text == "numbers",
    ),
    "maps": Part(
        "Figures 4 and 5: maps of words and of phrases",
        ("words_*", "phrases_*"),
        needs=("networks",),
        data=("phrases",),
    ),
}
