"""What the deformable paper sets, and what we do with two cores instead. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.deformable.claims import CLAIMS
from lib.base.errors import option
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = [
    "CLAIMS",
    "COMMANDS",
    "PARTS",
    "PRESETS",
    "SELECTS",
    "TITLE",
    "Config",
    "Dense",
    "Detection",
    "Digits",
    "check",
]

TITLE = "Deformable Convolutional Networks (Dai et al., 2017)"

COMMANDS = {
    "look": "look RUN IMAGE OUT.png\n      draw where a trained network samples an image of yours"
}

SELECTS = ("all_parts",)

ARMS = (
    *("plain", "atrous_2", "atrous_4", "atrous_6", "transformer", "filter", "active"),
    *("deformable_1", "deformable_2", "deformable_3"),
)
"""Networks that scaled digits compare."""
DETECTORS = ("plain", "convolutions", "bins", "both")
"""Detectors, by what of them is deformable."""


@dataclass(frozen=True)
class Digits:
    """Scaled and turned digits (not in the paper; a published demonstration, and Jaderberg et al. 2015)."""

    arms: tuple[str, ...] = ARMS
    """Networks compared on scaled digits: all, or some of them."""
    widths: tuple[int, ...] = (32, 64, 128, 128)
    """Filters (demonstration: 32, 64, 128, 128)."""
    steps: int = 18_750
    """Updates of each network (demonstration: 10 epochs of 1 875)."""
    tuning_steps: int = 37_500
    """Updates of what is tuned on scaled digits (demonstration: 20 epochs)."""
    batch: int = 32
    """Minibatch (demonstration: 32)."""
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Adam's, each tried by every network and chosen on validation images (demonstration: 1e-3, 5e-4)."""

    def __post_init__(self):
        at_least(self, steps=1, tuning_steps=1, batch=2)
        _rates(self.rates)
        if len(self.widths) != 4 or min(self.widths) < 1:
            raise ValueError("--digits.widths must be four sizes above 0")
        _known("--digits.arms", self.arms, ARMS)


@dataclass(frozen=True)
class Dense:
    """Naming every pixel. The paper: VOC 2012 and Cityscapes by a ResNet-101 that ImageNet has trained."""

    dataset: Literal["shapes", "camvid", "voc2012_masks"] = "shapes"
    """Scenes of shapes, made here, CamVid's streets, or VOC 2012 (paper: VOC 2012, Cityscapes)."""
    train_scenes: int = 1_200
    """Trained on; of photographs, if there are as many (paper: 10 582)."""
    valid_scenes: int = 200
    """Choose the learning rate (paper: none)."""
    test_scenes: int = 300
    """Scored (paper: 1 449)."""
    width: int = 32
    """Filters of every convolution (paper: up to 2 048)."""
    deformed: tuple[int, ...] = (0, 1, 2, 3, 6)
    """Last convolutions that are deformable, a network each (paper, Table 1: 0, 1, 2, 3, 6)."""
    dilations: tuple[int, ...] = (4, 6, 8)
    """Of the last three convolutions, a network each; 2 is the plain network's (paper, Table 3: 4, 6, 8)."""
    steps: int = 30_000
    """Updates of each network (paper: 30 000)."""
    batch: int = 16
    """Minibatch (paper: 8)."""
    rates: tuple[float, ...] = (1e-3, 3e-3)
    """Adam's, each tried by every network, chosen on validation scenes (paper: SGD, 1e-3)."""

    def __post_init__(self):
        at_least(self, train_scenes=1, valid_scenes=1, test_scenes=1, width=2, steps=1, batch=1)
        _rates(self.rates)
        if not {0, 3} <= set(self.deformed) or not all(0 <= k <= 6 for k in self.deformed):
            raise ValueError("--dense.deformed must be numbers from 0 to 6, 0 and 3 among them")
        if self.deformed[0] != 0:
            raise ValueError("--dense.deformed begins with 0, which the others are compared with")
        if not self.dilations or min(self.dilations) < 1:
            raise ValueError("--dense.dilations must be one or more numbers above 0")


@dataclass(frozen=True)
class Detection:
    """Finding objects, on the scenes and by the trunk of `Dense`. The paper: Faster R-CNN on VOC."""

    arms: tuple[str, ...] = DETECTORS
    """Networks compared: all, or some of them."""
    steps: int = 30_000
    """Updates of each network (paper: 30 000)."""
    batch: int = 8
    """Images of a minibatch (paper: 8)."""
    regions: int = 128
    """Regions of an image that are learned from, a quarter of objects if there are so many (paper: 128)."""
    bins: int = 7
    """Of a side of a region (paper: 7; Figure 7: 3)."""
    hidden: int = 1024
    """Units of each of the two dense layers (paper: 1 024)."""
    rates: tuple[float, ...] = (1e-3, 3e-3)
    """Adam's, each tried by every network, chosen on validation scenes (paper: SGD, 1e-3)."""

    def __post_init__(self):
        at_least(self, steps=1, batch=1, regions=4, bins=1, hidden=1)
        _rates(self.rates)
        _known("--detection.arms", self.arms, DETECTORS)


@dataclass(frozen=True)
class Field:
    """Effective receptive fields (Luo et al. 2016)."""

    depths: tuple[int, ...] = (5, 10, 20, 40)
    """Layers of random stacks (Luo et al.: 5 to 40)."""
    nets: int = 20
    """Random stacks of each depth (Luo et al.: 20)."""
    units: int = 100
    """Units of the trained networks on small, and on large objects."""

    def __post_init__(self):
        at_least(self, nets=1, units=1)
        if len(self.depths) < 2 or min(self.depths) < 1:
            raise ValueError("--field.depths must be two or more numbers above 0")


def _known(flag: str, arms: tuple[str, ...], all_arms: tuple[str, ...]) -> None:
    if unknown := [arm for arm in arms if arm not in all_arms]:
        raise ValueError(f"{flag}: no {unknown[0]}, only {', '.join(all_arms)}")
    if "plain" not in arms:
        raise ValueError(f"{flag} needs plain, which the others are compared with")


def _rates(rates: tuple[float, ...]) -> None:
    if not rates or min(rates) <= 0:
        raise ValueError("--rates must be one or more numbers above 0")


@dataclass(frozen=True)
class Config:
    """Digits, scenes and receptive fields."""

    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    """Digits (demonstration: MNIST)."""
    train_split: str = "train[:55000]"
    """Trained on (demonstration: all 60 000)."""
    valid_split: str = "train[55000:]"
    """Choose the learning rate (demonstration: none)."""
    test_split: str = "test"
    """Scored (demonstration: all 10 000)."""
    branch_rate: float = 0.1
    """Of the learning rate, what branches have that find offsets (paper: 1, SGD), a warp (0.1), filters."""
    every: int = 100
    """Updates in one compiled call, and between two lines of metrics."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""
    all_parts: bool = True
    """Where no part is named, compute also those that `laptop` has no time for."""
    digits: Digits = Digits()
    """Scaled and turned digits."""
    dense: Dense = Dense()
    """Naming every pixel."""
    detection: Detection = Detection()
    """Finding objects."""
    field: Field = Field()
    """Receptive fields."""

    def __post_init__(self):
        at_least(self, every=1, branch_rate=0)


def check(config: Config) -> None:
    """Raises UserError if there are no such splits."""
    from lib.data.catalogue import find
    from lib.data.dataset import parse_split

    for split in ("train", "valid", "test"):
        with option(f"--{split}-split"):
            parse_split(getattr(config, f"{split}_split"), find(config.dataset).sizes)


PRESETS = {
    "smoke": Config(
        train_split="train[:50]",
        valid_split="train[50:100]",
        test_split="test[:50]",
        every=1,
        digits=Digits(
            arms=("plain", "transformer", "deformable_3"),
            widths=(2, 4, 4, 4),
            steps=4,
            tuning_steps=4,
            batch=8,
            rates=(1e-3,),
        ),
        dense=Dense(
            train_scenes=8,
            valid_scenes=10,
            test_scenes=10,
            width=4,
            deformed=(0, 3),
            dilations=(4,),
            steps=4,
            batch=2,
            rates=(3e-3,),
        ),
        detection=Detection(
            arms=("plain", "both"), steps=4, batch=2, regions=16, bins=3, hidden=8, rates=(3e-3,)
        ),
        field=Field(depths=(2, 4), nets=2, units=4),
    ),
    "notebook": Config(
        train_split="train[:10000]",
        valid_split="train[10000:11000]",
        test_split="test[:2000]",
        digits=Digits(
            arms=("plain", "deformable_3"),
            widths=(8, 16, 32, 32),
            steps=300,
            tuning_steps=300,
            batch=64,
            rates=(1e-2,),
        ),
        dense=Dense(
            train_scenes=400,
            test_scenes=100,
            deformed=(0, 3),
            dilations=(6,),
            steps=400,
            rates=(3e-3,),
        ),
        detection=Detection(
            arms=("plain", "both"),
            steps=300,
            batch=16,
            regions=64,
            bins=3,
            hidden=64,
            rates=(3e-3,),
        ),
        field=Field(nets=5, units=50),
    ),
    "laptop": Config(
        every=60,
        all_parts=False,
        digits=Digits(
            arms=(
                "plain",
                "atrous_2",
                "atrous_4",
                "transformer",
                "filter",
                "deformable_1",
                "deformable_3",
            ),
            widths=(8, 16, 32, 32),
            steps=300,
            tuning_steps=300,
            batch=64,
            rates=(3e-3, 1e-2),
        ),
        dense=Dense(deformed=(0, 1, 3), dilations=(4, 6), steps=2_400, rates=(3e-3, 1e-2)),
        detection=Detection(steps=2_400, batch=16, regions=64, bins=3, hidden=64),
    ),
    "paper": Config(
        dense=Dense(dataset="camvid", train_scenes=10_582, valid_scenes=1_449, test_scenes=1_449)
    ),
}

PARTS = {
    "scaled_digits": Part(
        "scaled digits: plain, dilated, warped, filtered and deformable networks",
        ("scaled_*",),
        data=("digits",),
    ),
    "turned_digits": Part(
        "turned digits: plain, spatial transformer, deformable",
        ("turned_*",),
        data=("digits",),
        default=lambda config: config.all_parts,
    ),
    "fine_tuning": Part(
        "offsets learned for a network that knows plain digits (the published demonstration)",
        ("tuned_*",),
        data=("digits",),
        default=lambda config: config.all_parts,
    ),
    "table_1": Part(
        "Table 1: how many convolutions to deform",
        ("miou_deformable_*", "miou_gain_[0-9]*", "dense_rate_deformable_*"),
        data=("scenes",),
    ),
    "table_3": Part(
        "Table 3: dilated convolutions beside deformable ones",
        (
            "miou_atrous_*",
            "miou_best_atrous",
            "miou_gain_o*",
            "dense_rate_atrous_*",
        ),
        needs=("table_1",),
        data=("scenes",),
        default=lambda config: config.all_parts,
    ),
    "table_2": Part(
        "Table 2, Figure 6: where the taps go, by the size of the object",
        ("dilation_*",),
        needs=("table_1",),
        data=("scenes",),
        default=lambda config: config.dense.dataset == "shapes",
    ),
    "detection": Part(
        "Table 3, Figure 7: deformable RoI pooling in a small Fast R-CNN",
        ("map_*", "detection_rate_*"),
        data=("scenes",),
        default=lambda config: config.dense.dataset == "shapes" and config.all_parts,
        takes={"laptop": "15 min a seed on two cores"},
    ),
    "table_4": Part(
        "Table 4: parameters and time of a forward pass",
        ("parameters_*", "parameter_ratio", "seconds_*"),
    ),
    "receptive_field": Part(
        "effective receptive fields (Luo et al. 2016), plain and deformed",
        ("field_*",),
        needs=("table_1",),
        data=("scenes",),
        default=lambda config: config.dense.dataset == "shapes",
    ),
}
