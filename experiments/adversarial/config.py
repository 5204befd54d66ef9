"""What the adversarial examples papers set. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.adversarial.claims import CLAIMS
from lib.base.errors import option
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "COMMANDS", "PARTS", "PRESETS", "PRETRAINED", "TITLE", "Config", "check"]

TITLE = "Explaining and Harnessing Adversarial Examples (Goodfellow et al., 2015)"

PRETRAINED = ("squeezenet1_1", "googlenet")

COMMANDS = {
    "fool": "fool IN OUT.png --target CLASS\n"
    "      an image of yours that a network takes for something else; --help tells more"
}


@dataclass(frozen=True)
class Config:
    """MNIST's networks, how they are fooled, and what training on that buys."""

    dataset: Literal["mnist", "fashion_mnist", "digits"] = "mnist"
    """Images (paper: MNIST, CIFAR-10, ImageNet)."""
    examples: int = 60_000
    """Of the training set, the first (paper: all)."""
    test_examples: int = 10_000
    """Of the test set, the first (paper: all)."""
    units: int = 240
    """In each of two maxout layers; twice as many rectified ones (paper: 240, and 1 600 in section 6)."""
    pieces: int = 5
    """Of a maxout unit (paper: 5)."""
    steps: int = 30_000
    """Updates (paper: until the validation error no longer falls)."""
    batch: int = 100
    """Minibatch (paper: 100)."""
    learning_rate: float = 1e-3
    """Adam's (paper: momentum)."""
    every: int = 250
    """Updates in one compiled call, and between two points of the curve."""
    epsilon: float = 0.25
    """Of the fast gradient sign method, pixels in [0, 1] (paper: .25)."""
    epsilons: tuple[float, ...] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    """Of the sweep."""
    alpha: float = 0.5
    """Weight of the clean loss in adversarial training (paper: .5)."""
    lbfgs_examples: int = 100
    """Test images, one after another, that L-BFGS changes (Szegedy: 64)."""
    lbfgs_iterations: int = 50
    """At each weight of the change."""
    lbfgs_weights: int = 10
    """That the search tries, each half the one before, from 10."""
    rubbish_images: int = 100
    """Begun as noise, ten a class (Nguyen: 50 runs)."""
    rubbish_step: float = 0.02
    """Of each step of the ascent, in [0, 1]."""
    rubbish_steps: int = 100
    """Of the ascent."""
    generations: int = 200
    """Of the evolution (Nguyen: 200)."""
    children: int = 100
    """In each of them."""
    sizes: tuple[int, ...] = (600, 2_000, 6_000, 20_000, 60_000)
    """Training sets, each part of the next: will more data solve it?"""
    data_epsilon: float = 0.1
    """Of the method there: at .25 every network fails."""
    data_steps: int = 6_000
    """Updates of each of these networks."""
    photographs: tuple[str, ...] = ("coffee", "chelsea", "rocket", "china", "flower", "astronaut")
    """Of the set `photographs`, the first in the figure (paper: a panda); none: that part is left out."""
    network: Literal["squeezenet1_1", "googlenet"] = "googlenet"
    """That sees them, pretrained on ImageNet (paper: GoogLeNet)."""
    photograph_epsilon: float = 0.007
    """Of the method there, of the range of a pixel (paper: .007)."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(self, examples=10, test_examples=10, units=1, pieces=1, steps=1, batch=1, every=1)
        at_least(self, lbfgs_examples=1, lbfgs_iterations=1, lbfgs_weights=1, rubbish_images=10)
        at_least(self, generations=1, children=1)
        at_least(self, rubbish_steps=1, data_steps=1, epsilon=0, data_epsilon=0, rubbish_step=0)
        at_least(self, photograph_epsilon=0, learning_rate=0)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"--alpha must be between 0 and 1, not {self.alpha}")
        for name in ("epsilons", "sizes"):
            values = getattr(self, name)
            if len(values) < 2 or sorted(set(values)) != list(values) or values[0] < 0:
                raise ValueError(f"--{name} must be two or more numbers from 0 on that rise")
        if self.epsilon not in self.epsilons:
            raise ValueError(f"--epsilons must have --epsilon {self.epsilon} among them")
        if not self.batch <= min(self.sizes) <= max(self.sizes) <= self.examples:
            raise ValueError("--sizes must lie between --batch and --examples")
        if len(set(self.photographs)) < len(self.photographs):
            raise ValueError("--photographs must be different ones")


def check(config: Config) -> None:
    """Raises UserError if there are no such images, or fewer."""
    from lib.data.catalogue import check_count, check_photograph

    with option("--examples"):
        check_count(config.dataset, "train", config.examples)
    with option("--test-examples"):
        check_count(config.dataset, "test", config.test_examples)
    for name in config.photographs:
        with option("--photographs"):
            check_photograph(name)


_DIGITS = ("train", "test")

PARTS = {
    "training": Part(
        "section 6: the networks",
        ("clean_*",),
        data=_DIGITS,
        takes={"paper": "5 min on an H100"},
    ),
    "fgsm": Part(
        "sections 4 and 6: the fast gradient sign method",
        ("fgsm_*", "confidence_*", "noise_*", "adversarial_*", "straight_*", "farthest"),
        needs=("training",),
        data=("test",),
        takes={"paper": "1 min on an H100"},
    ),
    "transfer": Part(
        "section 8; Szegedy, section 4.2: transfer",
        ("transfer_*",),
        needs=("training",),
        data=("test",),
        takes={"paper": "1 min on an H100"},
    ),
    "lbfgs": Part(
        "Szegedy, section 4.1: the least change",
        ("lbfgs_*",),
        needs=("training",),
        data=("test",),
        takes={"paper": "5 min on an H100"},
    ),
    "rubbish": Part(
        "appendix A; Nguyen, Figures 4 and 5: rubbish",
        ("rubbish_*",),
        needs=("training",),
        data=_DIGITS,
        takes={"paper": "1 min on an H100"},
    ),
    "evolution": Part(
        "Nguyen, Figures 4 and 5: evolution",
        ("evolved_*",),
        needs=("training",),
        data=_DIGITS,
        takes={"paper": "1 min on an H100"},
    ),
    "more_data": Part(
        "will more data solve it?",
        ("data_*",),
        data=_DIGITS,
        takes={"paper": "5 min on an H100"},
    ),
    "panda": Part(
        "Figure 1: photographs",
        ("panda_*",),
        data=("network", "photographs"),
        default=lambda config: bool(config.photographs),
        takes={"paper": "1 min on an H100"},
    ),
}

PRESETS = {
    "smoke": Config(
        dataset="digits",
        examples=1000,
        test_examples=200,
        units=16,
        pieces=2,
        steps=60,
        batch=50,
        every=30,
        epsilons=(0.0, 0.25),
        lbfgs_examples=2,
        lbfgs_iterations=10,
        lbfgs_weights=3,
        rubbish_images=10,
        rubbish_steps=10,
        generations=5,
        children=10,
        sizes=(100, 1000),
        data_steps=30,
        photographs=(),
    ),
    "notebook": Config(
        dataset="digits",
        examples=1437,
        test_examples=360,
        units=64,
        pieces=3,
        steps=1000,
        lbfgs_examples=10,
        rubbish_images=20,
        sizes=(100, 400, 1400),
        data_steps=400,
        photographs=(),
    ),
    "laptop": Config(
        units=100,
        pieces=3,
        steps=1500,
        lbfgs_examples=20,
        sizes=(600, 6_000, 60_000),
        data_steps=1500,
        network="squeezenet1_1",
    ),
    "paper": Config(),
}
