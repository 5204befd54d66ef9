"""python -m experiments.visualisation explain IN OUT.png: what a network sees in an image, and where."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from lib.base.errors import UserError
from lib.base.words import Folder, read_options
from lib.pretrained.classes import CLASSES
from lib.run.config import at_least

LEAST_SIDE = 32
"""Pixels of IN: less is mostly what resizing makes up."""
GAP = 8

Positional = tyro.conf.Positional


@dataclasses.dataclass(frozen=True)
class Request:
    """What to explain, and how."""

    source: Annotated[Path, Positional, tyro.conf.arg(metavar="IN")]
    """An image of any kind."""
    target: Annotated[Path, Positional, tyro.conf.arg(metavar="OUT")]
    """The image, its saliency and its occlusion side by side: .png, .tif or .jpg."""
    label: Annotated[int | None, tyro.conf.arg(metavar="CLASS", help_behavior_hint="")] = None
    """Of ILSVRC 2012's thousand, from 0 (default: the likeliest)."""
    square: int = 64
    """Side of the grey square, in pixels of the network's 224 or so."""
    grid: int = 12
    """Places of the square along each side."""
    max_megapixels: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = (
        None
    )
    """Of IN, the most that are read (default: 89, against files made to fill the memory)."""
    network: Literal["squeezenet1_1", "googlenet"] = "squeezenet1_1"
    """That sees it."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute."""

    def __post_init__(self):
        at_least(self, square=1, grid=2)
        if self.label is not None and not 0 <= self.label < 1000:
            raise ValueError(f"--label must be from 0 to 999, not {self.label}")
        if self.max_megapixels is not None and not 0 < self.max_megapixels < 1e6:
            raise ValueError("--max-megapixels must be above 0 and below a million")


def main(words: list[str]) -> None:
    """Reads IN, writes OUT, prints the likeliest classes. Raises UserError for what cannot be."""
    about = "What a network sees in an image: its likeliest classes, the gradient's map, and occlusion's."
    prog = "python -m experiments.visualisation explain"
    request = read_options(Request, words, prog=prog, description=about)

    from lib.pictures.picture import Picture, colors_of, read_picture, storable, write_picture
    from lib.pretrained import cache, load

    picture = read_picture(request.source, request.max_megapixels)
    h, w = picture.pixels.shape[:2]
    if min(h, w) < LEAST_SIDE:
        raise UserError(
            f"{request.source}: {w} x {h} pixels are too few, at least {LEAST_SIDE} on each side", 2
        )
    frame = storable(Picture(np.zeros((1, 1, 3), np.uint8)), request.target)  # refused now or never
    from lib.run import devices

    device = devices.choose(request.device)
    devices.keep_compiled(cache().parent)
    print(f"visualisation: {device}, {request.network}", flush=True)
    for note in picture.notes:
        print(f"{request.source}: {note}")
    import jax

    from experiments.visualisation import maps
    from experiments.visualisation.figures import bright
    from lib.ops.resize import resize
    from lib.pretrained.recognition import make_classifier

    pretrained = load(request.network, request.weights_dir)
    side = pretrained.network.side
    shape = tuple(round(n * side / min(h, w)) for n in (h, w))
    image = np.clip(resize(np.array(colors_of(picture.pixels)), shape), 0, 255)
    logits, params = make_classifier(pretrained), jax.device_put(pretrained.params)
    p = maps.probabilities(logits, params, image[None], batch=1)[0]
    for number in np.argsort(-p)[:5]:
        print(f"{named(int(number))}: {p[number]:.1%}")
    label = int(p.argmax()) if request.label is None else request.label
    coarse = maps.cells(maps.saliency(logits, params, image, label), 4)
    saliency = np.clip(resize(bright(coarse).astype(np.float32), shape), 0, 1)
    fall = maps.occlusion(logits, params, image, label, side=request.square, grid=request.grid)
    hides = np.clip(fall / max(float(p[label]), 1e-6), 0, 1).astype(np.float32)
    # Bright where hiding costs probability, dark where it does not matter.
    lit = image * (0.15 + 0.85 * np.clip(resize(hides, shape), 0, 1)[:, :, None])
    panels = [image, 255 * np.repeat(saliency[:, :, None], 3, axis=2), lit]
    between = np.full((shape[0], GAP, 3), 255.0)
    sheet = np.concatenate([panels[0], between, panels[1], between, panels[2]], axis=1)
    write_picture(
        request.target, frame._replace(pixels=np.clip(sheet + 0.5, 0, 255).astype(np.uint8))
    )
    print(
        f"{request.target}: the image, saliency and occlusion for {named(label)}; a square takes up to "
        f"{float(fall.max()):.1%} of {p[label]:.1%} away"
    )


def named(number: int) -> str:
    """A class with its name, if it is one of the few that have one here."""
    name = next((name for name, n in CLASSES.items() if n == number), None)
    return f"class {number}" + (f" ({name})" if name else "")
