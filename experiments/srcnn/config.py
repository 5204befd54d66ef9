"""What the SRCNN paper sets. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.srcnn.claims import CLAIMS
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
    "check",
    "sizes_of",
]

TITLE = "Image Super-Resolution Using Deep Convolutional Networks (Dong et al., 2016)"

COMMANDS = {"upscale": "upscale IN OUT --scale 3\n      enlarge any image with a trained network"}

SCALES = (2, 3, 4)


def sizes_of(name: str) -> tuple[int, ...]:
    """ "9-5-5" -> (9, 5, 5): the filter sizes f1, f2, f3. Raises ValueError if it is not that."""
    try:
        sizes = tuple(int(size) for size in name.split("-"))
    except ValueError:
        sizes = ()
    if len(sizes) < 2 or any(size < 1 or size % 2 == 0 for size in sizes):
        raise ValueError(f"filter sizes are odd numbers such as 9-5-5, not {name!r}")
    return sizes


@dataclass(frozen=True)
class Colors:
    """Table 5: which channels a network is trained on."""

    steps: int = 1_000_000
    """Updates of each network; of those pre-trained, half on some channels, half on all (paper: not said)."""
    sizes: str = "9-1-5"
    """Filter sizes (paper: 9-1-5)."""

    def __post_init__(self):
        at_least(self, steps=2)
        sizes_of(self.sizes)


@dataclass(frozen=True)
class SparseCoding:
    """The classical baselines, learned from the same images: coupled dictionaries (Zeyde et al. 2010), A+."""

    atoms: int = 1024
    """In each dictionary (Yang et al. 2010, the paper's SC: 1024)."""
    samples: int = 100_000
    """Patches that the dictionaries are learned from (Yang et al.: 100 000)."""
    pool: int = 500_000
    """Patches that A+ looks for neighbours in (Timofte et al. 2014: half a million to five)."""
    neighbours: int = 2_048
    """Of an atom, for A+ (Timofte et al.: 2048)."""

    def __post_init__(self):
        at_least(self, atoms=4, samples=16, pool=1, neighbours=1)


@dataclass(frozen=True)
class Studies:
    """What the paper varies about one network, on the compared scale (sections 3.3, 4.1, 4.3)."""

    sizes: str = "9-1-5"
    """Filter sizes of that network (paper: 9-1-5)."""
    small: tuple[str, ...] = ("t91",)
    """Image sets, few (paper: T91)."""
    large: tuple[str, ...] = ("t91", "bsd200")
    """Image sets, more (paper: ImageNet)."""
    filters: tuple[int, ...] = (128, 64, 32)
    """n1, from the largest; n2 is half of it (paper: 128, 64, 32)."""
    deeper: tuple[str, ...] = ("9-1-1-5", "9-3-1-5", "9-5-1-5")
    """Filter sizes with a layer more, the last but one (paper: 9-1-1-5, 9-3-1-5, 9-5-1-5, 9-3-3-5, ...)."""
    extra: int = 16
    """Filters of that layer (paper: 16 in 9-1-1-5)."""

    def __post_init__(self):
        at_least(self, extra=1)
        if len(sizes_of(self.sizes)) != 3:
            raise ValueError(f"--studies.sizes has three layers, not {self.sizes}")
        if len(self.filters) < 2 or list(self.filters) != sorted(set(self.filters))[::-1]:
            raise ValueError("--studies.filters must be two or more numbers, descending")
        if min(self.filters) < 2:
            raise ValueError("--studies.filters must be at least 2")
        for name in self.deeper:
            if len(sizes_of(name)) != 4:
                raise ValueError(f"--studies.deeper must have four layers each, not {name}")

    @staticmethod
    def without(deeper: str) -> str:
        """ "9-1-1-5" -> "9-1-5"."""
        first, second, _, last = deeper.split("-")
        return f"{first}-{second}-{last}"


@dataclass(frozen=True)
class Config:
    """Training and test of SRCNN, a network a scale."""

    train: tuple[str, ...] = ("t91",)
    """Image sets trained on, e.g. t91 bsd200 (paper: T91; ImageNet for its best numbers)."""
    test: tuple[str, ...] = ("set5",)
    """Image sets scored; the learning curve uses the first (paper: Set5, Set14, BSD200)."""
    scales: tuple[int, ...] = (2, 3, 4)
    """Factors, a network each (paper: 2, 3, 4)."""
    sizes: str = "9-5-5"
    """Filter sizes f1-f2-f3 (paper: 9-1-5; 9-5-5 for its best numbers)."""
    compared: tuple[str, ...] = ("9-1-5", "9-3-5")
    """Filter sizes trained beside it, on the compared scale (paper, section 4.3.2)."""
    compared_scale: int = 3
    """Where filter sizes, colours and methods are compared (paper: 3)."""
    widths: tuple[int, ...] = (64, 32)
    """Filters n1, n2 (paper: 64, 32)."""
    initialiser: Literal["gaussian", "he", "identity"] = "gaussian"
    """Of the weights: N(0, 0.001^2) (paper); He's; or He's around a path that copies the input."""
    optimiser: Literal["sgd", "adam", "muon"] = "sgd"
    """sgd with momentum 0.9 (paper), Adam, or Muon."""
    learning_rate: float = 1e-4
    """Of all layers but the last (paper: 1e-4)."""
    last_learning_rate: float = 1e-5
    """Of the last layer (paper: 1e-5)."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate stays (paper), or rises shortly and falls to zero along a cosine."""
    steps: int = 6_250_000
    """Updates of each network (paper: 8e8 sub-images, 6.25 million updates of 128)."""
    batch: int = 128
    """Sub-images a minibatch (released: 128)."""
    patch: int = 33
    """Side of a sub-image (paper: 33)."""
    stride: int = 14
    """Between sub-images (paper: 14)."""
    hardest: float = 1.0
    """Fraction of the sub-images that is trained on: those on which bicubic errs most (paper: all)."""
    augment: bool = False
    """Turn and mirror sub-images at random (paper: no)."""
    every: int = 250_000
    """Updates between two points of the learning curve."""
    chunk: int = 500
    """Updates in one compiled call."""
    weights: str = ""
    """The authors' weights for the part authors: a folder of them, or one .../9-5-5(ImageNet)/x3.mat."""
    colors: Colors = Colors()
    """Table 5."""
    sparse_coding: SparseCoding = SparseCoding()
    """The classical baselines."""
    studies: Studies = Studies()
    """One network varied."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of the convolutions; parameters stay float32."""

    def __post_init__(self):
        at_least(self, steps=1, batch=1, stride=1, every=1, chunk=1)
        at_least(self, learning_rate=0, last_learning_rate=0)
        if not 0 < self.hardest <= 1:
            raise ValueError("--hardest must be above 0 and at most 1")
        for field in ("train", "test", "scales"):
            if not getattr(self, field):
                raise ValueError(f"--{field} needs at least one value")
        for scale in (*self.scales, self.compared_scale):
            if scale not in SCALES:
                raise ValueError(f"scales are 2, 3 and 4, not {scale}")
        if len(set(self.scales)) < len(self.scales):
            raise ValueError("--scales must be different")
        if self.compared_scale not in self.scales or 2 not in self.scales:
            raise ValueError("--scales must have 2 (which is repeated) and --compared-scale")
        for name in (self.sizes, *self.compared, self.colors.sizes):
            layers = len(sizes_of(name))
            if layers != len(self.widths) + 1:
                raise ValueError(
                    f"{name} has {layers} layers, --widths says {len(self.widths) + 1}"
                )
        others = (self.colors.sizes, self.studies.sizes, *self.studies.deeper)
        for name in (self.sizes, *self.compared, *others):
            sizes = sizes_of(name)
            if self.patch <= sum(sizes) - len(sizes):
                raise ValueError(f"--patch {self.patch} is too small for {name} without padding")
        if self.sizes in self.compared or len(set(self.compared)) < len(self.compared):
            raise ValueError("--sizes and --compared must name different networks")
        if not self.widths or min(self.widths) < 1:
            raise ValueError("--widths must be sizes above 0")


def check(config: Config) -> None:
    """Raises UserError if there are no such sets of images."""
    from lib.data.catalogue import image_sets

    for source in ("train", "test"):
        with option(f"--{source}"):
            image_sets(getattr(config, source), "test" if source == "test" else "train")
    for source in ("small", "large"):
        with option(f"--studies.{source}"):
            image_sets(getattr(config.studies, source), "train")


PRESETS = {
    "smoke": Config(
        train=("photographs[:3]",),
        test=("photographs[:1]",),
        scales=(2, 3),
        sizes="5-3-3",
        compared=("5-1-3",),
        widths=(8, 4),
        initialiser="identity",
        optimiser="muon",
        learning_rate=0.05,
        last_learning_rate=0.05,
        schedule="cosine",
        steps=60,
        batch=16,
        patch=17,
        stride=17,
        every=30,
        chunk=30,
        colors=Colors(steps=20, sizes="5-1-3"),
        sparse_coding=SparseCoding(atoms=16, samples=500, pool=600, neighbours=100),
        studies=Studies(
            sizes="5-1-3",
            small=("photographs[:2]",),
            large=("photographs[:3]",),
            filters=(8, 4),
            deeper=("5-1-1-3",),
            extra=4,
        ),
    ),
    "notebook": Config(
        train=("photographs",),
        test=("photographs[:2]",),
        scales=(2, 3),
        sizes="5-3-5",
        compared=("5-1-5",),
        widths=(16, 8),
        initialiser="identity",
        optimiser="muon",
        learning_rate=0.02,
        last_learning_rate=0.02,
        schedule="cosine",
        steps=600,
        batch=16,
        hardest=0.5,
        augment=True,
        every=100,
        chunk=50,
        colors=Colors(steps=100, sizes="5-1-5"),
        sparse_coding=SparseCoding(atoms=64, samples=5_000, pool=20_000, neighbours=500),
    ),
    "laptop": Config(
        train=("photographs",),
        test=("photographs",),
        scales=(2, 3),
        initialiser="identity",
        optimiser="muon",
        learning_rate=0.02,
        last_learning_rate=0.02,
        schedule="cosine",
        steps=2_000,
        batch=16,
        hardest=0.5,
        augment=True,
        every=200,
        chunk=100,
        colors=Colors(steps=800),
        sparse_coding=SparseCoding(atoms=256, samples=30_000),
        studies=Studies(deeper=("9-1-1-5", "9-3-1-5")),
    ),
    "paper": Config(),
}

SELECTS = ("weights",)


def _study(covers: str, metrics: str, data: str = "train") -> Part:
    """On the images that are trained on, if those are the paper's few: a handful would not tell."""
    return Part(
        covers,
        (metrics,),
        needs=("bicubic",),
        data=(data, "test"),
        default=lambda config: config.train == config.studies.small,
    )


PARTS = {
    "bicubic": Part(
        "Table 2, the bicubic column",
        ("bicubic_*",),
        data=("test",),
        takes={"paper": "3 min on two cores"},
    ),
    "authors": Part(
        "Table 2 and section 4.3, the authors' released weights",
        ("authors *",),
        data=("test", "authors"),
        default=lambda config: bool(config.weights),
        takes={"paper": "a minute on two cores, with --weights FOLDER"},
    ),
    "table_2": Part(
        "Table 2, a network a scale",
        ("ours_*", "gain_*"),
        needs=("bicubic",),
        data=("train", "test"),
        takes={"paper": "10 h on an H100, by its arithmetic"},
    ),
    "sparse_coding": Part(
        "Table 2, sparse coding learned from the same images", ("sparse_*",), data=("train", "test")
    ),
    "figure_1": Part(
        "Figure 1, SRCNN against bicubic and sparse coding",
        ("crossing", "lead_*"),
        needs=("bicubic", "table_2", "sparse_coding"),
        data=("test",),
        takes={"paper": "a second, after what it needs"},
    ),
    "section_4_3_2": Part(
        "Section 4.3.2 and Figures 7 and 12, sizes of filters",
        ("filters_*", "seconds_*"),
        needs=("bicubic", "table_2"),
        data=("train", "test"),
        takes={"paper": "3 h on an H100, by its arithmetic"},
    ),
    "a_plus": Part(
        "Table 2, A+ learned from the same images",
        ("a_plus_*",),
        needs=("bicubic", "table_2", "sparse_coding"),
        data=("train", "test"),
        default=lambda config: config.train == config.studies.small,
    ),
    "section_3_3": _study("Section 3.3, the last layer's learning rate", "last_*"),
    "section_4_1": _study("Section 4.1 and Figure 4, few images and more", "data_*", "studied"),
    "section_4_3_1": _study("Section 4.3.1, how many filters", "number_*"),
    "section_4_3_3": _study("Section 4.3.3 and Figures 8 and 9, how many layers", "layers_*"),
    "table_5": Part(
        "Table 5, channels of colour",
        ("color_*",),
        data=("train", "test"),
        takes={"paper": "1 h on an H100, by its arithmetic"},
    ),
    "repeated": Part(
        "Study notes, doubling again and again",
        ("repeated_*",),
        needs=("table_2",),
        data=("test",),
        takes={"paper": "a minute, after table_2"},
    ),
    "ill_posed": Part(
        "Section 1, one small image of two",
        ("twins_*",),
        needs=("table_2",),
        data=("test",),
        takes={"paper": "five seconds, after table_2"},
    ),
    "figure_14": Part(
        "Figures 5, 6 and 14 to 16, filters, feature maps and crops",
        (),
        needs=("table_2", "sparse_coding"),
        data=("test",),
    ),
}
"""Arithmetic: an update of a 9-5-5 is 20 GFLOP at 128 sub-images, and 10 TFLOP/s are a sixth of a H100's."""
