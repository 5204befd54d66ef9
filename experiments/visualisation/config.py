"""What the visualisation papers set. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.visualisation.claims import CLAIMS
from lib.base.errors import option
from lib.pretrained.classes import CLASSES
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "COMMANDS", "PARTS", "PRESETS", "PRETRAINED", "TITLE", "Config", "check"]

TITLE = "Visualizing and Understanding Convolutional Networks (Zeiler and Fergus, 2014)"

PRETRAINED = ("squeezenet1_1", "googlenet")

COMMANDS = {
    "explain": "explain IN OUT.png\n"
    "      what a network sees in an image of yours, and where; --help tells more"
}


@dataclass(frozen=True)
class Config:
    """Maps of photographs by a pretrained network; a small DeConvNet on digits."""

    network: Literal["squeezenet1_1", "googlenet"] = "googlenet"
    """Pretrained on ImageNet (papers: their own, of AlexNet's kind)."""
    photographs: tuple[str, ...] = ("coffee", "chelsea", "rocket", "china", "flower", "astronaut")
    """Of the set `photographs` (papers: ImageNet's)."""
    judge: Literal["squeezenet1_1", "googlenet"] = "squeezenet1_1"
    """That says what is to be seen in the class images (papers: people)."""
    classes: tuple[str, ...] = tuple(CLASSES)
    """Of the class images (Simonyan: dumbbell, cup, dalmatian, ...; Yosinski: flamingo, school bus, ...)."""
    class_side: int = 224
    """Of these, in pixels."""
    class_steps: int = 200
    """Of each ascent (papers: not said)."""
    cell: int = 16
    """Side of the squares that are hidden where saliency is largest, in pixels of the network's."""
    share: float = 0.1
    """Of them."""
    square: int = 64
    """Side of the grey square (Zeiler: about a quarter of the image)."""
    grid: int = 14
    """Places of the square along each side."""
    dataset: Literal["mnist", "fashion_mnist", "digits"] = "mnist"
    """That the small network is trained on (Zeiler: ImageNet)."""
    examples: int = 60_000
    """Of the training set, the first."""
    searched: int = 10_000
    """Test images among which the strongest activations are looked for."""
    steps: int = 4_000
    """Updates."""
    batch: int = 64
    """Minibatch (Zeiler: 128)."""
    learning_rate: float = 1e-3
    """Adam's (Zeiler: momentum)."""
    every: int = 100
    """Updates in one compiled call, and between two points of the curve."""
    widths: tuple[int, int] = (16, 32)
    """Maps of the two layers (Zeiler: 96 to 384, five layers)."""
    top: int = 9
    """Strongest activations of a map (Zeiler: 9)."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        at_least(self, cell=1, square=1, grid=2, examples=1, searched=1, steps=1, batch=1, every=1)
        at_least(self, top=2, learning_rate=0, class_side=64, class_steps=1)
        if not set(self.classes) <= set(CLASSES) or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"--classes must be different ones of {', '.join(CLASSES)}")
        if not self.classes:
            raise ValueError("--classes must be one at least")
        if not 0 < self.share < 1:
            raise ValueError(f"--share must be between 0 and 1, not {self.share}")
        if len(self.widths) != 2 or min(self.widths) < 1:
            raise ValueError("--widths are two numbers from 1 on")
        if len(set(self.photographs)) < len(self.photographs) or len(self.photographs) < 2:
            raise ValueError("--photographs must be different ones, two at least")


def check(config: Config) -> None:
    """Raises UserError if there are no such images, or fewer."""
    from lib.data.catalogue import check_count, check_photograph

    with option("--examples"):
        check_count(config.dataset, "train", config.examples)
    with option("--searched"):
        check_count(config.dataset, "test", config.searched)
    for name in config.photographs:
        with option("--photographs"):
            check_photograph(name)


_SEEN = ("network", "photographs")

PARTS = {
    "saliency": Part(
        "Simonyan, section 3: saliency",
        ("saliency_*",),
        data=_SEEN,
        takes={"paper": "1 min on an H100"},
    ),
    "occlusion": Part(
        "Zeiler, Figure 7: occlusion",
        ("occlusion_*",),
        needs=("saliency",),
        data=_SEEN,
        takes={"paper": "1 min on an H100"},
    ),
    "class_images": Part(
        "Simonyan, Figure 1; Yosinski, section 3: class images",
        ("class_*",),
        data=("network", "judge"),
        takes={"paper": "5 min on an H100"},
    ),
    "deconvnet": Part(
        "Zeiler, Figure 2: DeConvNet",
        ("net_*", "patches_*", "projection_*", "gradient_*"),
        data=("train", "test"),
        takes={"paper": "2 min on an H100"},
    ),
}

PRESETS = {
    "smoke": Config(
        network="squeezenet1_1",
        photographs=("coffee", "rocket"),
        classes=("banana", "flamingo"),
        class_side=64,
        class_steps=2,
        grid=2,
        dataset="digits",
        examples=500,
        searched=100,
        steps=20,
        every=10,
        widths=(4, 6),
        top=3,
    ),
    "notebook": Config(
        network="squeezenet1_1",
        photographs=("coffee", "chelsea"),
        classes=("banana", "flamingo"),
        class_side=128,
        class_steps=40,
        grid=6,
        dataset="digits",
        examples=1437,
        searched=360,
        steps=300,
        widths=(8, 16),
    ),
    "laptop": Config(
        network="squeezenet1_1",
        classes=("banana", "starfish", "flamingo", "school bus", "daisy", "goldfish"),
        class_side=128,
        class_steps=100,
        grid=10,
        examples=60_000,
        searched=2_000,
        steps=600,
        widths=(8, 16),
    ),
    "paper": Config(),
}
