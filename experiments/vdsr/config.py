"""What the VDSR paper sets. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.vdsr.claims import CLAIMS
from lib.base.errors import option
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "PARTS", "PRESETS", "TITLE", "Config", "Depths", "Residual", "Scales", "check"]

TITLE = "Accurate Image Super-Resolution Using Very Deep Convolutional Networks (Kim et al., 2016)"

SCALES = (2, 3, 4)


@dataclass(frozen=True)
class Residual:
    """Table 1 and Figure 4: networks that predict the residual against networks that predict the image."""

    learning_rates: tuple[float, ...] = (0.1, 0.01, 0.001)
    """At the start (paper: 0.1, 0.01, 0.001)."""
    depth: int = 10
    """Layers (paper: 10)."""
    steps: int = 9_960
    """Updates of each network (paper: 9 960, which it calls 80 epochs)."""

    def __post_init__(self):
        at_least(self, depth=2, steps=8)
        if len(self.learning_rates) < 2 or min(self.learning_rates) <= 0:
            raise ValueError("--residual.learning-rates must be two or more numbers above 0")
        if len(set(self.learning_rates)) < len(self.learning_rates):
            raise ValueError("--residual.learning-rates must differ")


@dataclass(frozen=True)
class Scales:
    """Table 2: a network for each set of training scales, each tested on every scale."""

    depth: int = 20
    """Layers (paper: 20)."""
    steps: int = 9_960
    """Updates of the network for all scales; those for fewer have as many epochs (paper: 9 960)."""

    def __post_init__(self):
        at_least(self, depth=2, steps=3)


@dataclass(frozen=True)
class Depths:
    """Figure 3: networks of different depths, trained on all scales."""

    depths: tuple[int, ...] = (5, 10, 15, 20)
    """Layers (paper: 5 to 20)."""
    steps: int = 9_960
    """Updates of each network (paper: 9 960)."""

    def __post_init__(self):
        at_least(self, steps=1)
        if (
            len(self.depths) < 2
            or min(self.depths) < 2
            or sorted(set(self.depths)) != [*self.depths]
        ):
            raise ValueError("--depths.depths must be two or more numbers of layers, ascending")


@dataclass(frozen=True)
class Config:
    """Training and test of VDSR, one network for all scales."""

    train: tuple[str, ...] = ("t91", "bsd200")
    """Image sets trained on (paper: T91 and BSD200, 291 images)."""
    analysed: tuple[str, ...] = ("t91",)
    """Image sets that the networks of Tables 1, 2 and Figure 3 are trained on (paper: T91)."""
    test: tuple[str, ...] = ("set5", "set14", "bsd100", "urban100")
    """Image sets scored; analyses use the first (paper: Set5, Set14, B100, Urban100)."""
    depth: int = 20
    """Layers (paper: 20)."""
    width: int = 64
    """Filters a layer (paper: 64)."""
    initialiser: Literal["he", "zero"] = "he"
    """Of the weights: He's (paper), or He's but for a last layer of zeros, which starts at bicubic."""
    optimiser: Literal["sgd", "muon"] = "sgd"
    """sgd with adjustable gradient clipping (paper), or Muon. Table 1 is always sgd."""
    learning_rate: float = 0.1
    """At the start (paper: 0.1)."""
    schedule: Literal["stages", "cosine"] = "stages"
    """The learning rate falls in stages (paper), or rises shortly and falls along a cosine."""
    stages: int = 4
    """Equal parts of a training; the learning rate is divided by 10 after each (paper: 4 of 20 epochs)."""
    clip: float = 1e-4
    """theta: no gradient component exceeds theta / learning rate (paper: not said)."""
    momentum: float = 0.9
    """Of sgd (paper: 0.9)."""
    weight_decay: float = 1e-4
    """On the filters, not on the biases (paper: 1e-4)."""
    steps: int = 67_740
    """Updates; 67 740 are 80 epochs of the 54 192 patches (paper: 80 epochs)."""
    batch: int = 64
    """Patches a minibatch, of all scales mixed (paper: 64)."""
    patch: int = 41
    """Side of a patch; patches do not overlap (paper: 41)."""
    augment: bool = True
    """Turn and mirror patches at random (paper: flips and rotations, for the final network)."""
    analysed_width: int = 64
    """Filters a layer in the networks of Tables 1, 2 and Figure 3 (paper: 64)."""
    every: int = 3_387
    """Updates between two points of the learning curve."""
    chunk: int = 100
    """Updates in one compiled call, at most."""
    weights: str = ""
    """The authors' weights (VDSR_Official.mat, or a folder with it), scored beside ours."""
    residual: Residual = Residual()
    """Table 1 and Figure 4."""
    scales: Scales = Scales()
    """Table 2."""
    depths: Depths = Depths()
    """Figure 3."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of the convolutions; parameters stay float32."""

    def __post_init__(self):
        at_least(self, depth=2, width=1, analysed_width=1, steps=1, batch=1, patch=1, stages=1)
        at_least(self, every=1, chunk=1, weight_decay=0)
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0")
        if not 0 <= self.momentum < 1:
            raise ValueError("--momentum must be in [0, 1)")
        for name in ("train", "analysed", "test"):
            if not getattr(self, name):
                raise ValueError(f"--{name} needs at least one value")


def check(config: Config) -> None:
    """Raises UserError if there are no such sets of images."""
    from lib.data.catalogue import image_sets

    for source in ("train", "analysed", "test"):
        with option(f"--{source}"):
            image_sets(getattr(config, source), "test" if source == "test" else "train")


PRESETS = {
    "smoke": Config(
        train=("photographs[:3]",),
        analysed=("photographs[:3]",),
        test=("photographs[:1]",),
        depth=4,
        width=8,
        initialiser="zero",
        optimiser="muon",
        learning_rate=0.03,
        schedule="cosine",
        steps=60,
        batch=8,
        patch=17,
        analysed_width=4,
        every=30,
        chunk=10,
        residual=Residual(depth=3, steps=40),
        scales=Scales(depth=3, steps=30),
        depths=Depths(depths=(2, 3), steps=30),
    ),
    "notebook": Config(
        train=("photographs",),
        analysed=("photographs",),
        test=("photographs[:2]",),
        depth=5,
        width=16,
        initialiser="zero",
        optimiser="muon",
        learning_rate=0.03,
        schedule="cosine",
        steps=600,
        batch=16,
        analysed_width=16,
        every=100,
        chunk=20,
        residual=Residual(depth=5, steps=200),
        scales=Scales(depth=5, steps=100),
        depths=Depths(depths=(2, 5), steps=100),
    ),
    "laptop": Config(
        train=("photographs",),
        analysed=("photographs",),
        test=("photographs",),
        depth=8,
        width=32,
        initialiser="zero",
        optimiser="muon",
        learning_rate=0.03,
        schedule="cosine",
        steps=2_250,
        batch=16,
        analysed_width=16,
        every=225,
        chunk=45,
        residual=Residual(depth=8, steps=320),
        scales=Scales(depth=8, steps=540),
        depths=Depths(depths=(2, 4, 8), steps=540),
    ),
    "paper": Config(),
}


# What parts take in `paper` is estimated. An H100 makes 160 updates a second of 20 layers at batch 64; others
# follow from their layers and updates: Table 1 has 6 x 9 960 of 10 layers, Table 2 4 x 9 960 of 20 in all,
# Figure 3 9 960 of 5, 10, 15 and 20 layers each. Scores compile for each shape of image, a second or so.
PARTS = {
    "references": Part(
        "Table 3: bicubic, and the authors' network if --weights names it",
        ("bicubic_*", "authors_*"),
        data=("test", "authors"),
        takes={"paper": "5 min on two cores"},
    ),
    "kept_weights": Part(
        "Table 3: the weights that come with the paper",
        ("kept_*",),
        data=("test",),
        default=lambda config: config.depth == 20,
        takes={"paper": "1 min on two cores with --test set5"},
    ),
    "table_3": Part(
        "Table 3: the network for all scales",
        ("ours_*", "gain_*"),
        data=("train", "test"),
        takes={"paper": "7 min on an H100"},
    ),
    "residuals": Part(
        "section 3: how large residuals are, and where they lie",
        ("residual_small", "residual_edge_*", "learned_*"),
        needs=("table_3",),
        data=("test",),
        takes={"paper": "7 min on an H100, nearly all for table_3"},
    ),
    "figure_5": Part(
        "Figure 5: scales between those trained on",
        ("fractional_*",),
        needs=("table_3",),
        data=("test",),
        takes={"paper": "7 min on an H100, nearly all for table_3"},
    ),
    "figures_6_7": Part("Figures 6 and 7: crops", (), needs=("table_3",), data=("test",)),
    "table_1": Part(
        "Table 1, Figure 4: residual or plain",
        ("residual_lr*", "plain_lr*", "*_gain_lr*", "residual_over_plain_*", "high_over_low_*"),
        needs=("references",),
        data=("analysed", "test"),
        takes={"paper": "3 min on an H100"},
    ),
    "table_2": Part(
        "Table 2: the scales trained on",
        ("trained_*", "multi_over_single_*"),
        needs=("references",),
        data=("analysed", "test"),
        takes={"paper": "4 min on an H100"},
    ),
    "figure_3": Part(
        "Figure 3: depth",
        ("depth_*", "deeper_*", "shallowest_*"),
        needs=("references",),
        data=("analysed", "test"),
        takes={"paper": "3 min on an H100"},
    ),
}
"""In the order of computation. In one folder `figure_3` takes over the network that `table_2` trained."""
