"""What DeepDream's notebook sets, and what is measured of it here. Light: imports no JAX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.deepdream.claims import CLAIMS
from experiments.deepdream.layers import LAYERS
from lib.base.errors import UserError, option
from lib.pretrained.classes import CLASSES
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = [
    "CLAIMS",
    "COMMANDS",
    "PARTS",
    "PRESETS",
    "PRETRAINED",
    "SETS",
    "TITLE",
    "Config",
    "about",
    "check",
    "smallest",
]

TITLE = "Inceptionism and DeepDream (Mordvintsev et al., 2015)"

PRETRAINED = tuple(LAYERS)

COMMANDS = {
    "dream": "dream IN OUT [--layer NAME] [--guide IMAGE] [--zoom FRAMES]\n"
    "      a dream on an image of yours; --help tells more"
}

Name = Literal["googlenet", "squeezenet1_1"]
SETS = {
    "photographs": ("train", "test"),
    "style_images": ("content", "style"),
    "deepdream_images": ("sky", "guide"),
}


@dataclass(frozen=True)
class Config:
    """Dreams on photographs and from noise, and what a judge makes of them."""

    network: Name = "googlenet"
    """Pretrained on ImageNet (blog: GoogLeNet)."""
    judge: Name = "squeezenet1_1"
    """The network that says what is to be seen in the results (blog: people)."""
    photographs: tuple[str, ...] = (
        "deepdream_images/sky1024px",
        "photographs/china",
        "photographs/coffee",
        "photographs/rocket",
        "photographs/flower",
        "photographs/astronaut",
    )
    """SET/NAME; the first is in most figures, and others are cut to its shape (notebook: the sky)."""
    guides: tuple[str, str] = ("deepdream_images/flowers", "photographs/chelsea")
    """Two images that guide, each the other's control (notebook: flowers)."""
    size: int = 1024
    """Longer side of the photographs in pixels (notebook: 1024)."""
    class_size: int = 224
    """Side of the classes' images (notebook: 224)."""
    octaves: int = 4
    """Sizes at which one dreams (notebook: 4)."""
    octave_scale: float = 1.4
    """Factor between them (notebook: 1.4)."""
    iterations: int = 10
    """Steps at each size (notebook: 10)."""
    step: float = 1.5
    """Mean absolute change of a step, in levels of 255 (notebook: 1.5)."""
    jitter: int = 32
    """The most, in pixels, by which the image is shifted before a step (notebook: 32)."""
    frames: int = 100
    """Of the zoom (notebook: 100; it shows the 29th)."""
    zoom: float = 0.05
    """Share of the sides that is cut off between frames (notebook: 0.05)."""
    classes: tuple[str, ...] = tuple(CLASSES)
    """Looked for in noise (blog: banana, ant, starfish, parachute, screw, dumbbell, ...)."""
    class_iterations: int = 60
    """Steps at each size for them (blog: not said)."""
    coarse: float = 1.0
    """The prior on them: amplitudes of the gradient are divided by frequency to this power (blog:
    "neighboring pixels need to be correlated")."""
    small_dataset: Literal["mnist", "fashion_mnist", "digits"] = "mnist"
    """What small networks are trained on, balanced or not (blog: ImageNet)."""
    small_examples: int = 6000
    """Of them in each training set."""
    small_steps: int = 600
    """Updates of each small network, batches of 64."""
    small_dreams: int = 200
    """Test images, the first, that each small network dreams on."""
    excess: int = 10
    """How many times as often as any other class the favoured one is shown (ImageNet has about 120 dogs
    of 1 000 classes)."""
    favoured: tuple[int, ...] = (1, 4, 7)
    """The classes that are, each in a training set of its own."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of the pretrained networks; images stay float32."""

    def __post_init__(self):
        at_least(self, size=1, class_size=1, octaves=1, iterations=1, jitter=0, frames=2)
        at_least(self, class_iterations=1, small_examples=100, small_steps=1, small_dreams=1)
        at_least(self, excess=1, step=0, coarse=0)
        if not self.octave_scale > 1:
            raise ValueError(f"--octave-scale must be above 1, not {self.octave_scale}")
        if not 0 < self.zoom < 1:
            raise ValueError(f"--zoom must be between 0 and 1, not {self.zoom}")
        for name in (*self.photographs, *self.guides):
            if name.split("/")[0] not in SETS or name.count("/") != 1:
                raise ValueError(
                    f"images are called {' or '.join(f'{s}/NAME' for s in SETS)}, not {name!r}"
                )
        for field in ("photographs", "guides", "classes", "favoured"):
            values = getattr(self, field)
            if len(set(values)) < len(values) or not values:
                raise ValueError(f"--{field} must be different ones, one at least")
        for name in self.classes:
            if name not in CLASSES:
                raise ValueError(f"--classes are {', '.join(CLASSES)}, not {name!r}")
        if not all(0 <= c <= 9 for c in self.favoured):
            raise ValueError("--favoured are classes from 0 to 9")
        least = LAYERS[self.network].least_side
        # Photographs are at most twice as long as high.
        if min(self.size // 2, self.class_size) < smallest(least, self):
            raise ValueError(
                f"--size and --class-size must be at least {2 * smallest(least, self)} and "
                f"{smallest(least, self)} pixels for {self.network} and {self.octaves} octaves"
            )


def smallest(least: int, config: Config) -> int:
    """Pixels that an image needs for its smallest octave to have `least`."""
    return round(least * config.octave_scale ** (config.octaves - 1)) + 1


def check(config: Config) -> None:
    """Raises UserError if there are no such images."""
    from lib.data.catalogue import find

    for name, images in (("--photographs", config.photographs), ("--guides", config.guides)):
        for image_set, image in (name.split("/") for name in images):
            known = find(image_set).images
            with option(name):
                if image not in known:
                    listed = ", ".join(sorted(known))
                    raise UserError(f"there is no image {image!r} in {image_set}, only {listed}", 2)


def about(config: Config, weights_dir: Path | None) -> str:
    """For a run's first line: the network."""
    del weights_dir
    return config.network


_SEEN = ("network", "photographs")

PARTS = {
    "dream": Part(
        "the notebook's deepdream",
        ("rise", "rise_*", "octaves_*", "outside"),
        data=_SEEN,
    ),
    "layers": Part(
        "low and high layers",
        ("wavelength_*", "wavelengths_*", "entropy_*"),
        data=(*_SEEN, "judge"),
    ),
    "dogs": Part(
        "why dogs",
        ("dogs_*",),
        data=(*_SEEN, "judge"),
    ),
    "imbalance": Part(
        "why dogs: small networks",
        ("favoured_*", "small_*"),
        data=("small",),
    ),
    "guided": Part(
        "the notebook's guided dream",
        ("guide_*",),
        data=(*_SEEN, "guides"),
    ),
    "classes": Part(
        "classes from noise",
        ("classes_*", "judged_by_another"),
        data=("network", "judge"),
    ),
    "zoom": Part(
        "iterated zoom",
        ("zoom_*",),
        data=_SEEN,
    ),
}

PRESETS = {
    "smoke": Config(
        network="squeezenet1_1",
        photographs=("photographs/china", "photographs/coffee"),
        guides=("photographs/flower", "photographs/chelsea"),
        size=73,
        class_size=43,
        octaves=2,
        iterations=2,
        jitter=4,
        frames=3,
        classes=("banana", "flamingo"),
        class_iterations=2,
        small_dataset="digits",
        small_examples=500,
        small_steps=40,
        small_dreams=8,
        favoured=(1, 4),
    ),
    "notebook": Config(
        network="squeezenet1_1",
        photographs=("photographs/china", "photographs/coffee"),
        guides=("photographs/flower", "photographs/chelsea"),
        size=193,
        class_size=97,
        frames=8,
        classes=("banana", "flamingo", "school bus"),
        class_iterations=20,
        small_dataset="digits",
        small_examples=1000,
        small_steps=200,
        small_dreams=50,
        favoured=(1, 4),
    ),
    "laptop": Config(
        network="squeezenet1_1",
        photographs=(
            "photographs/china",
            "photographs/coffee",
            "photographs/rocket",
            "photographs/flower",
        ),
        guides=("photographs/flower", "photographs/chelsea"),
        size=225,
        class_size=129,
        frames=15,
        classes=("banana", "starfish", "flamingo", "school bus", "daisy", "dumbbell"),
        class_iterations=20,
    ),
    "paper": Config(),
}
