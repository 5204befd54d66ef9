"""What the GAN paper sets. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.gan.claims import CLAIMS
from lib.base.errors import option
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "PARTS", "PRESETS", "TITLE", "Config", "Ring", "Toy", "check"]

TITLE = "Generative Adversarial Nets (Goodfellow et al., 2014)"


@dataclass(frozen=True)
class Ring:
    """Mode collapse on a ring of Gaussians (Metz et al. 2017, section 3.1 and appendix A)."""

    steps: int = 25_000
    """Rounds: an update of D, then one of G (paper: 25 000)."""
    unroll: int = 5
    """Discriminator steps that the unrolled generator looks ahead (paper: 5 and 10)."""
    batch: int = 512
    """Minibatch (paper: 512)."""
    noise: int = 256
    """Dimensions of the Gaussian noise (paper: 256)."""
    hidden: int = 128
    """Units of a rectified layer: G has two, D one (paper: 128)."""
    generator_learning_rate: float = 1e-4
    """Adam (paper: 1e-4)."""
    discriminator_learning_rate: float = 1e-4
    """Adam (paper: 1e-4)."""
    modes: int = 8
    """Gaussians on the circle (paper: 8)."""
    radius: float = 2.0
    """Of the circle (paper: 2)."""
    sigma: float = 0.02
    """Standard deviation of each Gaussian (paper: 0.02)."""

    def __post_init__(self):
        at_least(self, steps=5, unroll=1, batch=1, noise=1, hidden=1, modes=1)
        at_least(self, generator_learning_rate=0, discriminator_learning_rate=0, radius=0, sigma=0)


@dataclass(frozen=True)
class Toy:
    """The one-dimensional game of Figure 1 and Proposition 1 (sizes are ours; the paper gives none)."""

    steps: int = 4_000
    """Rounds of Algorithm 1 until panel (d)."""
    discriminator_steps: int = 3
    """Updates of D in a round: Algorithm 1's k."""
    early: int = 400
    """Rounds until panel (a): the pair "near convergence" that the next two panels start from."""
    inner: int = 2_000
    """Discriminator updates with the generator fixed: panel (b), and Proposition 1."""
    outer: int = 1
    """Generator updates with that discriminator fixed: panel (c)."""
    batch: int = 256
    """Minibatch."""
    hidden: int = 32
    """Units in each of two layers, both nets."""
    generator_learning_rate: float = 3e-4
    """Adam, at the start; it falls to zero along a cosine."""
    discriminator_learning_rate: float = 3e-3
    """Adam, likewise: D must keep up with G for its gradient to be worth following."""

    def __post_init__(self):
        at_least(self, steps=1, discriminator_steps=1, early=1, inner=1, outer=1, batch=1, hidden=1)
        at_least(self, generator_learning_rate=0, discriminator_learning_rate=0)


@dataclass(frozen=True)
class Config:
    """The MNIST game. The paper names no sizes: "released" is the authors' published configuration."""

    dataset: Literal["mnist", "fashion_mnist", "digits"] = "mnist"
    """Images (paper: MNIST, TFD, CIFAR-10)."""
    train_split: str = "train[:50000]"
    """Trained on (released: 50 000 of MNIST's training images)."""
    valid_split: str = "train[50000:51000]"
    """Chooses the Parzen width (released: the first 1 000 of the other 10 000)."""
    test_split: str = "test"
    """Scored (released: all 10 000)."""
    steps: int = 125_000
    """Simultaneous updates (released: no stop rule; 125 000 is 250 epochs, where momentum settles)."""
    batch: int = 100
    """Minibatch (released: 100)."""
    noise: int = 100
    """Dimensions of the noise, uniform on [-sqrt 3, sqrt 3] (released: 100)."""
    generator_hidden: tuple[int, ...] = (1200, 1200)
    """Rectified layers of G (released: 1200, 1200)."""
    discriminator_hidden: tuple[int, ...] = (240, 240)
    """Maxout layers of D (released: 240, 240)."""
    pieces: int = 5
    """Linear pieces of a maxout unit (released: 5)."""
    learning_rate: float = 0.1
    """Of both players, at the start (released: 0.1)."""
    learning_rate_decay: float = 1.000004
    """Divides the learning rate after every update (released: 1.000004)."""
    learning_rate_floor: float = 1e-6
    """Where the learning rate stops falling (released: 1e-6)."""
    momentum: float = 0.5
    """In the first epoch (released: 0.5)."""
    momentum_final: float = 0.7
    """From epoch `momentum_epochs` on (released: 0.7)."""
    momentum_epochs: int = 250
    """Momentum rises linearly from epoch 1 to this one (released: 250)."""
    parzen_samples: int = 10_000
    """Kernels of the Parzen estimate (released: 10 000)."""
    early_steps: int = 1_000
    """Discriminator updates against the untrained generator, for the claim about gradients."""
    classifier_steps: int = 2_500
    """Minibatches of the small classifier behind the MNIST score (not in the paper)."""
    every: int = 100
    """Updates in one compiled call, and between two lines of metrics."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of the MNIST nets' products; parameters stay float32."""
    toy: Toy = Toy()
    """Figure 1."""
    ring: Ring = Ring()
    """Mode collapse."""

    def __post_init__(self):
        at_least(self, steps=1, batch=1, noise=1, pieces=1, every=1, learning_rate=0)
        at_least(self, learning_rate_decay=1, learning_rate_floor=0, momentum_epochs=2)
        at_least(self, parzen_samples=100, early_steps=1, classifier_steps=1)
        for name in ("momentum", "momentum_final"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be in [0, 1)")
        for name in ("generator_hidden", "discriminator_hidden"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be one or more sizes above 0")


def check(config: Config) -> None:
    """Raises UserError if there are no such splits."""
    from lib.data.catalogue import find
    from lib.data.dataset import parse_split

    for split in ("train", "valid", "test"):
        with option(f"--{split}-split"):
            parse_split(getattr(config, f"{split}_split"), find(config.dataset).sizes)


PRESETS = {
    "smoke": Config(
        dataset="digits",
        train_split="train[:1200]",
        valid_split="train[1200:]",
        steps=200,
        noise=16,
        generator_hidden=(64, 64),
        discriminator_hidden=(32, 32),
        momentum_epochs=10,
        parzen_samples=500,
        early_steps=50,
        classifier_steps=100,
        every=50,
        toy=Toy(steps=100, early=50, inner=50, batch=128, hidden=16),
        ring=Ring(steps=50, batch=32, noise=8, hidden=16, unroll=2),
    ),
    "notebook": Config(
        dataset="digits",
        train_split="train[:1200]",
        valid_split="train[1200:]",
        steps=4_000,
        noise=32,
        generator_hidden=(128, 128),
        discriminator_hidden=(64, 64),
        momentum_epochs=50,
        parzen_samples=1_000,
        early_steps=200,
        classifier_steps=500,
        every=200,
        toy=Toy(steps=2_000, early=200, inner=500, batch=128),
        # Wider spots, smaller nets and five times the learning rates show it in a minute.
        ring=Ring(
            steps=4_000,
            batch=128,
            noise=32,
            hidden=64,
            generator_learning_rate=5e-4,
            discriminator_learning_rate=5e-4,
            sigma=0.1,
        ),
    ),
    "laptop": Config(steps=7_500),
    "paper": Config(),
}

# Three seeds of everything took an H100 two minutes, in TF32.
_H100 = {"paper": "2 min on an H100 in TF32, for all of Table 1, its references and section 3"}
_SECONDS = {"paper": "10 s on any machine"}

PARTS = {
    "table_1": Part(
        "Table 1, Figures 2 and 3: the game on images",
        (
            "parzen",
            "parzen_stderr",
            "parzen_sigma",
            "parzen_untrained",
            "parzen_gain",
            "mnist_score*",
            "classifier_accuracy",
        ),
        data=("train", "valid", "test"),
        takes=_H100,
    ),
    "references": Part(
        "Table 1: what its estimate says of training images and of k-means (Theis et al. 2016)",
        ("parzen_of_*", "parzen_kmeans_advantage"),
        data=("train", "valid", "test"),
        takes=_H100,
    ),
    "section_3": Part(
        "section 3: the generator's gradients early on",
        ("gradient_ratio",),
        data=("train",),
        takes=_H100,
    ),
    "figure_1": Part(
        "Figure 1, Proposition 1: the one-dimensional game",
        ("proposition_1_error", "toy_*"),
        takes={"paper": "a minute a seed on a core"},
    ),
    "theorem_1": Part("Theorem 1", ("theorem_1_error",), takes=_SECONDS),
    "proposition_2": Part("Proposition 2", ("proposition_2_gap",), takes=_SECONDS),
    "ring": Part(
        "mode collapse on a ring (Metz et al. 2017)",
        ("ring_*",),
        # Not beside a game so short that this would take longer than all the rest.
        default=lambda config: config.ring.steps <= 3 * config.steps,
        takes=dict.fromkeys(("laptop", "paper"), "5 min a seed on a core"),
    ),
}
