"""What `--content --style --out` asks for, and whether it can be. Light: imports no JAX."""

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Literal

import tyro

from experiments.neural_style.config import Config, Kind
from experiments.neural_style.layers import LAYERS
from lib.base.errors import UserError
from lib.base.words import Folder
from lib.run.config import at_least

File = Annotated[Path, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Files = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE ...", help_behavior_hint="")]


@dataclasses.dataclass(frozen=True)
class Request:
    """What to make of what, and how."""

    content: File
    """The photograph."""
    style: Files
    """The artwork; several are blended, each seen whole."""
    out: File
    """Written whole or not at all, also on the way: .png, .tif or .jpg."""
    size: int = 512
    """Longer side of the result in pixels."""
    ratio: float | None = None
    """alpha / beta: more keeps more of the photograph (default: 1e-4 for VGG, 1e-3 for SqueezeNet)."""
    style_weights: tuple[float, ...] = ()
    """One for each artwork (default: equal)."""
    masks: Files = ()
    """One for each artwork, which counts as much as its mask is bright and opaque."""
    style_scale: float = 1.0
    """Size at which the artworks are seen, of the result's."""
    content_layers: tuple[str, ...] = ()
    """Default: conv4_2 of VGG, fire5 of SqueezeNet."""
    style_layers: tuple[str, ...] = ()
    """Default: conv1_1 to conv5_1, or conv1, fire2, fire4, fire6, fire8."""
    initial: Literal["content", "style", "noise"] = "content"
    """What to begin with."""
    optimiser: Literal["lbfgs", "adam"] = "lbfgs"
    """L-BFGS, or Adam, which needs less memory."""
    learning_rate: float = Config.learning_rate
    """Adam's, in levels of 255."""
    iterations: int = 300
    """Steps of the optimiser at each scale."""
    scales: int = 1
    """Begin with small images, each twice as large as the one before: larger strokes, less time."""
    smooth: float = 0.0
    """Weight of the total variation, 1e-6 to 1e-4 against noise."""
    original_colors: bool = False
    """Keep the photograph's colours; take brightness only."""
    max_megapixels: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = (
        None
    )
    """Of each file, the most that are read (default: 89, against files made to fill the memory)."""
    pooling: Literal["avg", "max"] = "avg"
    """Of the network."""
    network: Kind = "auto"
    """auto: VGG-19 if its file is at hand, or else SqueezeNet."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files."""
    save_every: int = 50
    """Iterations between two previews, written to --out; 0: none."""
    keep_previews: bool = False
    """Also keep each preview, as OUT-0050.png."""
    seed: int = 0
    """Of the noise."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute."""

    def __post_init__(self):
        at_least(self, size=1, iterations=1, scales=1, save_every=0, seed=0)
        at_least(self, ratio=0, smooth=0)
        for name in ("ratio", "smooth", "style_scale", "learning_rate"):
            if not math.isfinite(getattr(self, name) or 0):
                raise ValueError(f"--{name.replace('_', '-')} must be a finite number")
        for name in ("style_scale", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0")
        for name in ("style_weights", "masks"):
            if (count := len(getattr(self, name))) not in (0, len(self.style)):
                raise ValueError(
                    f"--{name.replace('_', '-')} needs {len(self.style)} values, one a --style, not {count}"
                )
        if self.max_megapixels is not None and not 0 < self.max_megapixels < 1e6:
            raise ValueError("--max-megapixels must be above 0 and below a million")
        if any(not 0 <= weight < math.inf for weight in self.style_weights):
            raise ValueError("--style-weights must be numbers from 0 on")
        if self.style_weights and not sum(self.style_weights):
            raise ValueError("--style-weights must not all be 0")


def sizes(request: Request, network: str, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """The shape at each scale, smallest first.

    Raises:
      UserError: the network cannot see an image so small.
    """
    layers, shapes = LAYERS[network], []
    for halvings in reversed(range(request.scales)):
        scale = request.size / 2**halvings / max(shape)
        shapes.append(layers.shape(shape, scale))
    check_sides(request.content, shapes[0], network, "a larger --size, or fewer --scales")
    return shapes


def check_sides(path: Path, shape: tuple[int, int], network: str, instead: str) -> None:
    """Raises UserError (code 2) if an image of `shape` is too small for the network."""
    least, (h, w) = LAYERS[network].least_side, shape
    if min(shape) < least:
        raise UserError(
            f"{path}: {w} x {h} pixels are too few, {network} needs {least} on each side: {instead}",
            2,
        )


def artwork_shape(
    request: Request, network: str, path: Path, artwork: tuple[int, int], shape: tuple[int, int]
) -> tuple[int, int]:
    """At what shape an artwork is seen beside an image of `shape`.

    Raises:
      UserError: the network cannot see an image so small.
    """
    scale = request.style_scale * max(shape) / max(artwork)
    seen_at = LAYERS[network].shape(artwork, scale)
    check_sides(path, seen_at, network, "a larger --size or --style-scale, or fewer --scales")
    return seen_at


def bytes_needed(request: Request, network: str, pixels: int) -> int:
    """Memory to optimise an image of so many pixels, and all else."""
    layers = LAYERS[network]
    a_pixel = layers.bytes_a_pixel + (2 * Config.memory * 12 if request.optimiser == "lbfgs" else 0)
    return layers.bytes_at_least + pixels * a_pixel


def check_memory(request: Request, network: str, needed: int) -> None:
    """Raises UserError (code 2), with the size that fits, if the device has fewer than `needed` bytes."""
    import jax

    from lib.base.memory import free_memory

    stats = jax.devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit") or free_memory()
    if free is None or needed <= free:
        return
    least = bytes_needed(request, network, 0)
    fits = int(request.size * math.sqrt(max(0.9 * free - least, 0) / (needed - least)))
    raise UserError(
        f"--size {request.size} needs {needed / 2**30:.1f} GiB with {network}, {free / 2**30:.1f} GiB are "
        f"free: --size {fits} fits",
        2,
    )
