"""What the neural style paper sets. Light: imports no JAX."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.neural_style.claims import CLAIMS
from experiments.neural_style.layers import LAYERS
from lib.base.errors import UserError, option
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = [
    "CLAIMS",
    "COMMANDS",
    "PARTS",
    "PRESETS",
    "PRETRAINED",
    "TITLE",
    "Config",
    "about",
    "check",
    "choose",
    "fitted",
]

TITLE = "A Neural Algorithm of Artistic Style (Gatys et al., 2015)"

PRETRAINED = tuple(LAYERS)

COMMANDS = {
    "transfer": "--content PHOTO --style PAINTING --out RESULT\n"
    "      a photograph of yours in the style of a painting of yours; --help tells more"
}

Kind = Literal["auto", "vgg19", "vgg16", "squeezenet1_1"]
SETS = ("photographs", "style_images", "kandinsky")


def choose(network: Kind, folder: Path | None) -> str:
    """The network that "auto" means here: VGG-19 if its file is at hand, or else SqueezeNet."""
    from lib.pretrained import at_hand

    if network != "auto":
        return network
    return "vgg19" if at_hand("vgg19", folder) else "squeezenet1_1"


@dataclass(frozen=True)
class Config:
    """Images of a photograph in the style of artworks, and what the layers and the weights do."""

    network: Kind = "vgg19"
    """Pretrained on ImageNet (paper: VGG-19); auto: VGG-19 if its file is at hand, else SqueezeNet."""
    content: str = "style_images/tubingen"
    """The photograph, SET/NAME; sets: style_images, photographs (paper: Neckarfront, Tuebingen)."""
    styles: tuple[str, ...] = (
        "style_images/shipwreck",
        "style_images/starry_night",
        "style_images/the_scream",
        "style_images/seated-nude",
    )
    """The artworks of Figure 2 (paper: these and Composition VII, kandinsky/composition_vii, for which a
    picture must be put into a folder)."""
    studied: int = 1
    """Which of them, counted from 0, all other figures use (paper: Composition VII in Figure 3)."""
    size: int = 512
    """Longer side of Figure 2's images in pixels (paper, 2016: about 512)."""
    small: int = 256
    """Longer side in the other figures (paper: not said)."""
    vgg_scale: float = 1.0
    """Factor on both where `auto` means VGG-19, which computes 30 times as much a pixel as SqueezeNet."""
    ratio: float | None = None
    """alpha / beta except in Figures 3, 5 and 6 (paper: 1e-3, or 1e-4); None: 1e-4 for VGG, 1e-3 for
    SqueezeNet."""
    ratios: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2)
    """alpha / beta of Figure 3's columns (paper: these)."""
    per_position: bool = True
    """Divide the content loss by the layer's positions M (equation 1: no; see README)."""
    pooling: Literal["avg", "max"] = "avg"
    """In place of the network's max-pooling (paper: average)."""
    unit_mean: bool = True
    """Scale the weights so that every channel's mean activation is one (paper: yes)."""
    optimiser: Literal["lbfgs", "adam"] = "lbfgs"
    """L-BFGS (paper, 2016), or Adam."""
    learning_rate: float = 10.0
    """Adam's, in levels of 255."""
    memory: int = 10
    """Steps that L-BFGS remembers (paper: not said)."""
    noise: float = 1.0
    """Standard deviation of the white noise to begin with, in levels of 255 (paper: not said)."""
    iterations: int = 1000
    """Steps of the optimiser in Figure 2 (paper: not said)."""
    small_iterations: int = 300
    """... and in the other figures."""
    every: int = 20
    """Iterations in one compiled call, and between two points of a curve."""
    noises: int = 4
    """White noises that Figure 6 (2016) begins with (paper: 4)."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of the network; losses and the image stay float32."""

    def __post_init__(self):
        at_least(self, size=1, small=1, memory=1, iterations=1, small_iterations=1, every=1)
        at_least(self, ratio=0, noise=0, noises=1, studied=0, vgg_scale=0)
        for name in (self.content, *self.styles):
            if name.split("/")[0] not in SETS or name.count("/") != 1:
                raise ValueError(
                    f"images are called {' or '.join(f'{s}/NAME' for s in SETS)}, not {name!r}"
                )
        if len(set(self.styles)) < len(self.styles) or not self.styles:
            raise ValueError("--styles must be different images, one at least")
        if self.studied >= len(self.styles):
            raise ValueError(f"--studied must be below {len(self.styles)}, the number of --styles")
        if (
            len(self.ratios) < 2
            or sorted(set(self.ratios)) != list(self.ratios)
            or self.ratios[0] < 0
        ):
            raise ValueError("--ratios must be two or more numbers from 0 on that rise")
        if self.learning_rate <= 0:
            raise ValueError("--learning-rate must be above 0")
        sides = [
            layers.least_side for name, layers in LAYERS.items() if self.network in ("auto", name)
        ]
        if min(self.size, self.small) * min(1, self.vgg_scale) < max(sides):
            raise ValueError(
                f"--size and --small must be at least {max(sides)} pixels for this network"
            )


def check(config: Config) -> None:
    """Raises UserError if there are no such images."""
    from lib.data.catalogue import find

    for name, images in (("--content", (config.content,)), ("--styles", config.styles)):
        for image_set, image in (name.split("/") for name in images):
            known = find(image_set).images
            with option(name):
                if known and image not in known:  # of a folder, its files are known when it is read
                    listed = ", ".join(sorted(known))
                    raise UserError(f"there is no image {image!r} in {image_set}, only {listed}", 2)


_SEEN = ("network", "content", "styles")

PARTS = {
    "inputs": Part(
        "the network, the photograph and the artwork of the figures but Figure 2",
        ("network_parameters",),
        data=_SEEN,
        takes={"paper": "10 s on an H100"},
    ),
    "checks": Part(
        "equation 3, Methods",
        ("shuffled_*", "unit_mean_error", "below_floor", "output_changed"),
        needs=("inputs",),
        data=("network", "content", "calibration"),
        takes={"paper": "1 min on an H100"},
    ),
    "figure_2": Part(
        "Figure 2",
        ("style_left", "content_left", "loss_rises", "evaluations_*"),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "4 min on an H100"},
    ),
    "figure_1": Part(
        "Figure 1",
        ("reconstruction_*", "structure_*"),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "2 min on an H100"},
    ),
    "figure_3": Part(
        "Figure 3",
        ("grid_*",),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "2 min on an H100"},
    ),
    "figure_6": Part(
        "2016, Figure 6",
        ("initial_*", "noises_differ"),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "2 min on an H100"},
    ),
    "figure_5": Part(
        "2016, Figure 5",
        ("layer_*", "lower_keeps"),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "1 min on an H100"},
    ),
    "equation_1": Part(
        "equation 1",
        ("content_sum_*", "content_mean_*"),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "1 min on an H100"},
    ),
    "optimisers": Part(
        "2016, section 2.3",
        ("adam_over_lbfgs",),
        needs=("inputs",),
        data=_SEEN,
        takes={"paper": "2 min on an H100"},
    ),
    "pooling": Part(
        "Methods: average pooling against max-pooling",
        ("pooling_*", "max_over_avg"),
        needs=("inputs",),
        data=(*_SEEN, "calibration"),
        default=lambda config: False,  # two more networks to compile
        takes={"paper": "2 min on an H100"},
    ),
}
"""With the network compiled once a part: 40 s for each shape, 10 s an artwork, 3 s a small image."""


def fitted(config: Config, network: str) -> Config:
    """`config` with what depends on the network: alpha / beta, and the sizes where "auto" chose it."""
    ratio = LAYERS[network].ratio if config.ratio is None else config.ratio
    if config.network != "auto" or not network.startswith("vgg"):
        return replace(config, ratio=ratio)
    sides = {name: round(config.vgg_scale * getattr(config, name)) for name in ("size", "small")}
    return replace(config, ratio=ratio, vgg_scale=1.0, **sides)


def about(config: Config, weights_dir: Path | None) -> str:
    """For a run's first line: the network."""
    return choose(config.network, weights_dir)


PRESETS = {
    "smoke": Config(
        network="squeezenet1_1",
        content="photographs/china",
        styles=("photographs/ihc", "photographs/flower"),
        studied=0,
        size=48,
        small=48,
        ratios=(1e-4, 1e-2),
        iterations=8,
        small_iterations=4,
        every=4,
        noises=2,
    ),
    "notebook": Config(
        network="squeezenet1_1",
        content="photographs/china",
        styles=("photographs/ihc", "photographs/hubble_deep_field"),
        studied=0,
        size=161,
        small=113,
        ratios=(1e-4, 1e-2),
        iterations=160,
        small_iterations=80,
        noises=2,
    ),
    "laptop": Config(
        network="auto",
        content="photographs/china",
        styles=(
            "photographs/ihc",
            "photographs/hubble_deep_field",
            "photographs/retina",
            "photographs/flower",
            "photographs/gravel",
        ),
        studied=0,
        size=257,
        small=129,
        vgg_scale=0.4,
        iterations=400,
        small_iterations=200,
    ),
    "paper": Config(),
}
