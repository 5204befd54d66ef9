"""What the translation papers set. Light: imports no JAX.

"Sutskever" is Sutskever et al. 2014, "Bahdanau" Bahdanau et al. 2015, "Cho" Cho et al. 2014.
"""

from dataclasses import dataclass, replace
from typing import Literal

from experiments.seq2seq.claims import CLAIMS
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = [
    "CLAIMS",
    "COMMANDS",
    "LENGTHS",
    "NETWORKS",
    "PARTS",
    "PRESETS",
    "SELECTS",
    "TITLE",
    "Config",
    "check",
]

TITLE = "Sequence to Sequence (Sutskever et al., 2014), Align and Translate (Bahdanau et al., 2015)"
COMMANDS = {"translate": "translate RUN SENTENCE\n      a sentence, a file or what a pipe brings"}
NETWORKS = ("search", "encdec", "forward", "reversed")
"""Bahdanau's attention, Cho's encoder and decoder, Sutskever's LSTM with the source in order and reversed."""
LENGTHS = 5
"""Groups of test sentences by the length of the source, as many in each."""


@dataclass(frozen=True)
class Config:
    """Sentences, networks, and how they learn."""

    text: Literal["numbers", "multi30k", "tatoeba_fra_eng"] = "multi30k"
    """Numbers in words, which num2words makes; Multi30k, captions of photographs; or Tatoeba, sentences of
    everyday (papers: WMT 2014)."""
    languages: tuple[str, str] = ("en", "fr")
    """From, to (papers: English to French)."""
    networks: tuple[Literal["search", "encdec", "forward", "reversed"], ...] = NETWORKS
    """Which to train, if --only names no parts."""
    digits: int = 9
    """Of the longest numbers; all lengths are as frequent, as far as there are numbers."""
    train: int = 29_000
    """Sentences trained on, at most (Sutskever: 12 million)."""
    validation: int = 1_014
    """Sentences that choose the learning rate, at most."""
    test: int = 1_000
    """Sentences that are scored, at most (papers: newstest2014, 3 003)."""
    vocabulary: int = 30_000
    """Words a language, the most frequent (Bahdanau: 30 000; Sutskever: 160 000 and 80 000)."""
    bounds: tuple[int, ...] = (10, 15, 20, 30, 50)
    """Lengths that sentences are padded to, their end included; longer ones are not trained on (Bahdanau:
    50)."""
    embedding: int = 256
    """Numbers a word (Bahdanau: 620; Sutskever: 1000)."""
    units: int = 512
    """Of a recurrent layer (papers: 1000)."""
    alignment: int = 512
    """Hidden units of the attention (Bahdanau: 1000)."""
    maxout: int = 256
    """Hidden units of the output, of Bahdanau's and Cho's networks (papers: 500)."""
    rank: int = 0
    """Of the output matrix of the same networks; 0: full (Bahdanau: 620)."""
    reset: Literal["before", "after", "after_with_context"] = "before"
    """Where a GRU's reset gate is (Bahdanau: before the product; see lib.nn.recurrent)."""
    layers: int = 2
    """Of Sutskever's LSTMs (4)."""
    optimiser: Literal["adam", "adadelta"] = "adadelta"
    """Adadelta (Bahdanau, Cho), or Adam; Sutskever has plain SGD."""
    rates: tuple[float, ...] = (1.0,)
    """Step sizes that each network is tried with; the one of the best validation goes on."""
    tuning: int = 0
    """Updates after which it is chosen; they count as training."""
    decay: bool = False
    """The step size falls to zero along a cosine (Sutskever halves it at the end); otherwise the parameters
    of the lowest validation are kept, which is asked after each `score_every` updates (Bahdanau)."""
    clip: float = 1.0
    """Longest gradient (Bahdanau: 1; Sutskever: 5)."""
    batch: int = 80
    """Sentences an update (Bahdanau: 80; Sutskever: 128)."""
    steps: int = 20_000
    """Updates of each network."""
    every: int = 200
    """Updates in one compiled call."""
    score_every: int = 1_000
    """Updates between two points of a learning curve."""
    beam: int = 12
    """Beginnings that a translation keeps (Sutskever: 12)."""
    beams: tuple[int, ...] = (1, 2)
    """Other widths that the attentive network is tested with (Sutskever: 1, 2, 12)."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(self, digits=1, train=1, validation=1, test=LENGTHS, vocabulary=1, embedding=1)
        at_least(self, units=1, alignment=1, maxout=1, rank=0, layers=1, tuning=0, batch=1)
        at_least(self, steps=1, every=1, score_every=1, beam=1)
        if self.digits > 15:
            raise ValueError(f"--digits must be at most 15, not {self.digits}")
        if not self.clip > 0:
            raise ValueError(f"--clip must be above 0, not {self.clip}")
        if list(self.bounds) != sorted(set(self.bounds)) or min(self.bounds, default=0) < 2:
            raise ValueError("--bounds must be one or more lengths from 2 on, ascending")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError("--rates must be one or more numbers above 0")
        if len(self.rates) > 1 and not 0 < self.tuning < self.steps:
            raise ValueError(
                f"--tuning must be from 1 to {self.steps - 1} updates where there are several --rates"
            )
        if not self.decay and self.score_every > self.steps - self.tuning:
            raise ValueError(
                f"--score-every must be at most {self.steps - self.tuning} where the step size does not fall"
            )
        if min(self.beams, default=1) < 1 or self.beam in self.beams:
            raise ValueError("--beams must be widths from 1 on, --beam not among them")
        if len(set(self.languages)) < 2:
            raise ValueError("--languages must be two")


def check(config: Config) -> None:
    """Raises UserError (code 2) for languages that the text does not have."""
    from lib.base.errors import UserError

    known = {
        "numbers": ("en", "fr", "de", "es", "cs"),
        "multi30k": ("en", "de", "fr", "cs"),
        "tatoeba_fra_eng": ("en", "fr"),
    }
    for language in config.languages:
        if language not in known[config.text]:
            there = ", ".join(known[config.text])
            raise UserError(f"--languages: {config.text} has no {language!r}, only {there}", 2)


_LAPTOP = Config(
    text="numbers",
    train=8_000,
    validation=500,
    test=1_000,
    bounds=(12, 18, 28),
    embedding=32,
    units=64,
    alignment=48,
    maxout=32,
    layers=1,
    optimiser="adam",
    rates=(3e-3, 1e-2),
    tuning=150,
    decay=True,
    batch=64,
    steps=1_200,
    every=50,
    score_every=150,
)
PRESETS = {
    "smoke": replace(
        _LAPTOP,
        digits=6,
        train=60,
        validation=20,
        test=20,
        bounds=(22,),
        embedding=6,
        units=8,
        alignment=6,
        maxout=6,
        rates=(3e-3, 1e-2),
        tuning=4,
        batch=8,
        steps=8,
        every=4,
        score_every=4,
        beam=3,
        beams=(1,),
    ),
    "notebook": replace(
        _LAPTOP,
        networks=("search", "encdec"),
        digits=6,
        train=4_000,
        validation=200,
        test=300,
        bounds=(12, 20),
        embedding=32,
        units=64,
        alignment=32,
        maxout=32,
        rates=(3e-3,),
        tuning=0,
        steps=600,
        score_every=100,
        beams=(1,),
    ),
    "laptop": _LAPTOP,
    "paper": Config(),
}

SELECTS = ("networks",)


def _network(name: str, covers: str) -> Part:
    measured = ("bleu", "bleu_[0-9]", "exact", "perplexity", "rate", "parameters", "ended")
    return Part(
        covers,
        tuple(f"{name}_{what}" for what in measured),
        data=("text",),
        default=lambda config: name in config.networks,
    )


def _all(*names: str):
    return lambda config: set(names) <= set(config.networks)


PARTS = {
    "memory": Part(
        "What looking up the most similar sentence gives: a translation memory",
        ("memory_*",),
        data=("text",),
    ),
    "search": _network("search", "Bahdanau, Table 1: RNNsearch"),
    "encdec": _network("encdec", "Bahdanau, Table 1: RNNencdec, which is Cho's network"),
    "forward": _network("forward", "Sutskever, Table 1: the source in order"),
    "reversed": _network("reversed", "Sutskever, Table 1: the source reversed"),
    "attention": Part(
        "Bahdanau, Figure 2: with attention and without, by the length of the sentence",
        ("attention_*",),
        needs=("memory", "search", "encdec"),
        default=_all("search", "encdec"),
    ),
    "reversal": Part(
        "Sutskever, section 3.3: the source reversed against in order",
        ("reversal_*",),
        needs=("memory", "forward", "reversed"),
        default=_all("forward", "reversed"),
    ),
    "alignment": Part(
        "Bahdanau, Figure 3: which source words are looked at",
        ("alignment_*",),
        needs=("search",),
        data=("text",),
        default=_all("search"),
    ),
    "beams": Part(
        "Sutskever, Table 1: the width of the beam",
        ("beams_*",),
        needs=("search",),
        data=("text",),
        default=_all("search"),
    ),
    "phrase_map": Part(
        "Sutskever, Figure 2: a map of sentences by the encoder's state",
        ("map_*",),
        needs=("encdec",),
        data=("text",),
        default=lambda config: "encdec" in config.networks and config.text == "numbers",
    ),
}
