"""What the Neural Turing Machine paper sets. Light: imports no JAX."""

from dataclasses import dataclass, replace
from typing import Literal

from experiments.ntm.claims import CLAIMS
from experiments.ntm.parts import MODELS, PARTS, TASKS
from lib.run.config import at_least

__all__ = ["CLAIMS", "PARTS", "PRESETS", "SELECTS", "TITLE", "Config", "Network", "Task"]

TITLE = "Neural Turing Machines (Graves et al., 2014)"


@dataclass(frozen=True)
class Network:
    """A row of the paper's Tables 1 to 3."""

    hidden: tuple[int, ...]
    """Units of each layer, of the controller or of the baseline."""
    learning_rate: float
    """Of RMSProp."""
    heads: int = 1
    """Read heads, and as many write heads; the baseline has none."""
    sequences: int = 0
    """Trained on; 0: as many as the task says (paper: the same for all)."""

    def __post_init__(self):
        at_least(self, heads=1, learning_rate=0, sequences=0)
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError("--hidden must be one or more sizes above 0")


@dataclass(frozen=True)
class Task:
    """What every task sets: how long to train, and the three networks."""

    feedforward: Network
    """An NTM with a feedforward controller (Table 1)."""
    lstm: Network
    """An NTM with an LSTM controller (Table 2)."""
    baseline: Network
    """An LSTM without memory: three layers (Table 3)."""
    sequences: int = 1_000_000
    """Trained on, by each network (paper: 1 million in most figures)."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rates stay (paper), or fall to zero along a cosine."""

    def __post_init__(self):
        at_least(self, sequences=1)


def _networks(feedforward: Network, lstm: Network, baseline: Network) -> dict[str, Network]:
    return {"feedforward": feedforward, "lstm": lstm, "baseline": baseline}


def _all_at_least(config: Task, name: str, bound: int) -> None:
    values = getattr(config, name)
    if not values or min(values) < bound:
        raise ValueError(f"--{name} must be one or more numbers of at least {bound}")


@dataclass(frozen=True)
class Copy(Task):
    """Section 4.1."""

    bits: int = 8
    """In a vector (paper: 8)."""
    length: int = 20
    """Vectors in a sequence, at most (paper: 20)."""
    tested: tuple[int, ...] = (10, 20, 30, 50, 80, 120)
    """Lengths tested after training (paper, Figures 4 and 5: 10, 20, 30, 50, 120)."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, bits=1, length=2)
        _all_at_least(self, "tested", 1)


@dataclass(frozen=True)
class RepeatCopy(Task):
    """Section 4.2."""

    bits: int = 6
    """In a vector (paper's text: 8; its parameter counts: 6)."""
    length: int = 10
    """Vectors in a sequence, at most (paper: 10)."""
    repeats: int = 10
    """At most (paper: 10)."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, bits=1, length=1, repeats=2)


@dataclass(frozen=True)
class AssociativeRecall(Task):
    """Section 4.3."""

    bits: int = 6
    """In a vector (paper: 6)."""
    vectors: int = 3
    """In an item (paper: 3)."""
    items: int = 6
    """In a sequence, at most (paper: 6)."""
    tested: tuple[int, ...] = (6, 8, 10, 12, 15, 20)
    """Numbers of items tested after training (paper, Figure 11: 6 to 20)."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, bits=1, vectors=1, items=2)
        _all_at_least(self, "tested", 2)


@dataclass(frozen=True)
class NGrams(Task):
    """Section 4.4."""

    length: int = 200
    """Bits in a sequence (paper: 200)."""
    context: int = 5
    """Bits before that decide (paper: 5)."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, context=1, length=self.context + 1)


@dataclass(frozen=True)
class PrioritySort(Task):
    """Section 4.5."""

    bits: int = 8
    """In a vector (paper: 8)."""
    shown: int = 20
    """Vectors shown (paper: 20)."""
    sorted: int = 16
    """Vectors asked for (paper: 16)."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, bits=1, sorted=2, shown=self.sorted)


@dataclass(frozen=True)
class Config:
    """Tasks, networks and how they learn."""

    tasks: tuple[
        Literal["copy", "repeat_copy", "associative_recall", "ngrams", "priority_sort"], ...
    ] = TASKS
    """Which of the tasks to run, if --only names no parts (paper: all)."""
    models: tuple[Literal["feedforward", "lstm", "baseline"], ...] = MODELS
    """Which networks: the NTM with either controller, the LSTM without memory (paper: all)."""
    rows: int = 128
    """N, the memory's rows (paper: 128)."""
    width: int = 20
    """M, the values in a row (paper: 20)."""
    memory: Literal["learned", "constant"] = "learned"
    """At the start of a sequence: learned (paper), or 1e-6 everywhere (Collier & Beel 2018)."""
    batch: int = 1
    """Sequences an update (paper: not said; its curves count sequences)."""
    clip: float = 10.0
    """Gradients are cut to [-clip, clip], component by component (paper: 10)."""
    validation: int = 1_000
    """Sequences behind each point of a learning curve (paper, N-grams: 1 000)."""
    every: int = 10_000
    """Sequences between two points of a learning curve."""
    chunk: int = 500
    """Sequences in one compiled call."""
    tried: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3)
    """Learning rates that the searches try, for each network (paper: does not say how its were found)."""
    trial: int = 5_000
    """Sequences that each of them is trained on, in a search."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything: attention over 128 rows needs float32."""
    copy: Copy = Copy(
        **_networks(Network((100,), 1e-4), Network((100,), 1e-4), Network((256,) * 3, 3e-5))
    )
    repeat_copy: RepeatCopy = RepeatCopy(
        **_networks(Network((100,), 1e-4), Network((100,), 1e-4), Network((512,) * 3, 3e-5))
    )
    associative_recall: AssociativeRecall = AssociativeRecall(
        **_networks(Network((256,), 1e-4, 4), Network((100,), 1e-4), Network((256,) * 3, 1e-4))
    )
    ngrams: NGrams = NGrams(
        **_networks(Network((100,), 3e-5), Network((100,), 3e-5), Network((128,) * 3, 1e-4))
    )
    priority_sort: PrioritySort = PrioritySort(
        **_networks(
            Network((512,), 3e-5, 8), Network((100, 100), 3e-5, 5), Network((128,) * 3, 3e-5)
        )
    )

    def __post_init__(self):
        at_least(self, rows=3, width=1, batch=1, validation=1, every=1, chunk=1, trial=1)
        if not self.tried or not min(self.tried) > 0:
            raise ValueError("--tried must be one or more learning rates above 0")
        if not self.clip > 0:
            raise ValueError(f"--clip must be above 0, not {self.clip}")
        for field in ("tasks", "models"):
            if not getattr(self, field) or len(set(getattr(self, field))) < len(
                getattr(self, field)
            ):
                raise ValueError(f"--{field} needs one or more different values")
        for field in ("every", "chunk"):
            if getattr(self, field) % self.batch:
                raise ValueError(f"--{field} must be a multiple of --batch, {self.batch}")


_PAPER = Config()
_SMALL = _networks(Network((16,), 1e-3), Network((16,), 1e-3), Network((16,) * 3, 1e-3))
PRESETS = {
    "smoke": Config(
        tasks=("copy",),
        rows=12,
        width=6,
        batch=4,
        validation=16,
        every=40,
        chunk=40,
        copy=Copy(**_SMALL, sequences=80, bits=3, length=3, tested=(3, 6)),
        repeat_copy=RepeatCopy(**_SMALL, sequences=80, bits=2, length=2, repeats=2),
        associative_recall=AssociativeRecall(
            **_SMALL, sequences=80, bits=2, vectors=1, items=3, tested=(3, 4)
        ),
        ngrams=NGrams(**_SMALL, sequences=80, length=10, context=2),
        priority_sort=PrioritySort(**_SMALL, sequences=80, bits=3, shown=4, sorted=3),
    ),
    "notebook": Config(
        tasks=("copy",),
        models=("lstm", "baseline"),
        rows=20,
        width=8,
        batch=4,
        validation=80,
        every=600,
        chunk=200,
        copy=Copy(
            **_networks(Network((32,), 3e-3), Network((32,), 3e-3), Network((64,), 3e-3)),
            sequences=12_000,
            bits=4,
            length=8,
            tested=(4, 8, 16),
        ),
    ),
    "laptop": replace(
        _PAPER,
        tasks=("copy",),
        copy=replace(
            _PAPER.copy,
            sequences=20_000,
            feedforward=Network((100,), 3e-4),
            lstm=Network((100,), 3e-4),
        ),
        repeat_copy=replace(
            _PAPER.repeat_copy,
            sequences=40_000,
            feedforward=Network((100,), 3e-4),
            lstm=Network((100,), 3e-4),
            baseline=Network((128,) * 3, 3e-4),
        ),
        associative_recall=replace(
            _PAPER.associative_recall, sequences=60_000, baseline=Network((128,) * 3, 3e-4)
        ),
        ngrams=replace(
            _PAPER.ngrams,
            sequences=40_000,
            schedule="cosine",
            feedforward=Network((100,), 3e-4),
            lstm=Network((100,), 3e-4),
        ),
        priority_sort=replace(
            _PAPER.priority_sort,
            sequences=100_000,
            schedule="cosine",
            feedforward=Network((512,), 2e-4, 8),
            lstm=Network((100, 100), 5e-4, 5),
            baseline=Network((128,) * 3, 1e-4),
        ),
        every=1_000,
        validation=200,
    ),
    "paper": _PAPER,
}

SELECTS = ("tasks", "models")
