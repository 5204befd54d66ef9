"""python -m experiments.deformable look RUN IMAGE OUT.png: where a trained network samples an image."""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from lib.base.errors import UserError
from lib.base.words import read_options

NAME = "weights-deformable_3.safetensors"
GRID = 3
"""Units along either side, where none is named."""


@dataclasses.dataclass(frozen=True)
class Request:
    """Whose eyes, at what, and from where."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder, or a file of weights; `experiments/deformable/results` has ours."""
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """An image of any kind."""
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.png")]
    """Written whole or not at all."""
    unit: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="ROW COLUMN")] = None
    """The pixel whose unit is drawn (default: a grid of nine)."""
    side: int = 64
    """The image's longer side is shrunk to so many pixels; the network has learned from 64."""

    def __post_init__(self):
        if not 16 <= self.side <= 1024:
            raise ValueError("--side must be from 16 to 1024")
        if self.target.suffix.lower() != ".png":
            raise ValueError(f"{self.target}: the drawing is a .png")


def main(words: list[str]) -> None:
    """Reads IMAGE, finds where units look, draws it into OUT.png. Raises UserError for what cannot be."""
    about = "Draws where a trained deformable network samples an image."
    prog = "python -m experiments.deformable look"
    request = read_options(Request, words, prog=prog, description=about)

    from lib.pictures.picture import read_picture

    image = shrunk(read_picture(request.source).pixels, request.side)
    net, params = load(request.run)
    units = units_of(image.shape[:2], request.unit)
    draw(image, units, points_of(net, params, image, units), request.target)
    print(
        f"{request.target}: {len(units)} units, each of {9**3} points, on {image.shape[:2]} pixels"
    )


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 or uint16 `[H, W, C]` -> uint8 `[h, w, 3]` over black, the longer side at most `side`."""
    from PIL import Image

    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    if pixels.shape[2] in (2, 4):
        alpha = pixels[..., -1:].astype(np.float32) / 255
        pixels = (pixels[..., :-1] * alpha).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def load(path: Path):
    """`(net, params of the first seed)` from a file, or a folder of a run or of records.

    Raises:
      UserError: there is none, or it is of another paper.
    """
    from lib.base.weights import load_weights
    from lib.models.deformable import LAST, Segmenter
    from lib.run.result import first_seed

    file = path
    if path.is_dir():
        file = next((f for f in (path / NAME, path / "parts/table_1" / NAME) if f.exists()), None)
        if file is None:
            raise UserError(f"{path} has no {NAME}: the part table_1 of a run makes it", 2)
    params, about = load_weights(file)
    if about.get("paper") != "deformable":
        raise UserError(f"{file} holds weights of {about.get('paper')}, not of deformable", 2)
    stacked = np.ndim(params["head"]["bias"]) == 2
    params = first_seed(params) if stacked else params
    widths = [params[f"conv{i + 1}"]["bias"].shape[0] for i in range(6)]
    return Segmenter(params["head"]["bias"].shape[0], tuple(widths), LAST), params


def units_of(shape: tuple[int, int], unit: tuple[int, int] | None) -> np.ndarray:
    """Positions of the segmenter, int `[k, 2]`. Raises UserError: the pixel named is not in the image."""
    from experiments.deformable.dense import STRIDE

    if unit is not None:
        if not all(0 <= pixel < side for pixel, side in zip(unit, shape, strict=True)):
            raise UserError(f"--unit {unit[0]} {unit[1]} is outside of {shape[0]} x {shape[1]}", 2)
        return np.array([unit]) // STRIDE
    rows, columns = ((np.arange(GRID) + 0.5) * -(-side // STRIDE) / GRID for side in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2).astype(int)


def points_of(net, params, image: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Where the units look through all deformable convolutions, `[k, 729, 2]`, in pixels."""
    from experiments.deformable.dense import in_pixels, places, stacked_points

    of_layers = {k: np.asarray(v[0]) for k, v in places(net)(params, image[None]).items()}
    return in_pixels(np.stack([stacked_points(of_layers, unit) for unit in units]))


def draw(image: np.ndarray, units: np.ndarray, points: np.ndarray, path: Path) -> None:
    """The image once a unit, in rows of three, points in red and the unit in green."""
    from experiments.deformable.dense import in_pixels
    from experiments.deformable.figures import draw_points
    from lib.base.files import disk_errors, write_atomically
    from lib.plots.style import encoded, subplots

    columns = min(len(units), GRID)
    rows = -(-len(units) // columns)
    figure, axes = subplots(rows, columns, width=3 * columns, height=3 * rows, squeeze=False)
    for axis, unit, of_unit in zip(axes.flat, in_pixels(units), points, strict=True):
        draw_points(axis, image, unit, of_unit)
    with disk_errors(f"cannot write {path}"):
        write_atomically(path, encoded(figure))
