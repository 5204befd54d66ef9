"""python -m experiments.neural_style --content PHOTO --style PAINTING --out RESULT: files of yours."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.neural_style.config import about, choose
from experiments.neural_style.request import (
    Request,
    artwork_shape,
    bytes_needed,
    check_memory,
    check_sides,
    sizes,
)
from lib.base.words import read_options


def main(words: list[str]) -> None:
    """Reads the files and writes OUT. Raises UserError for what cannot be.

    OUT has the colour profile and the resolution (dots an inch) of the photograph.
    """
    said = "A photograph in the style of an artwork."
    prog = "python -m experiments.neural_style"
    request = read_options(Request, words, prog=prog, description=said)

    from lib.pictures.picture import colors_of, read_picture, storable, write_picture
    from lib.pretrained import cache

    content = read_picture(request.content, request.max_megapixels)
    styles = [read_picture(path, request.max_megapixels) for path in request.style]
    masks = [read_picture(path, request.max_megapixels) for path in request.masks]
    name = choose(request.network, request.weights_dir)
    for path, picture in zip((request.content, *request.style), (content, *styles), strict=True):
        check_sides(path, picture.pixels.shape[:2], name, "another image")
    shapes = sizes(request, name, content.pixels.shape[:2])
    seen_at = [
        artwork_shape(request, name, path, style.pixels.shape[:2], shape)
        for path, style in zip(request.style, styles, strict=True)
        for shape in shapes
    ]
    from lib.ops.resize import alpha_of
    from lib.run import devices

    device = devices.choose(request.device)
    needed = bytes_needed(request, name, max(h * w for h, w in (shapes[-1], *seen_at)))
    check_memory(request, name, needed)
    alpha = alpha_of(content.pixels, shapes[-1])
    blank = np.zeros((*shapes[-1], 3 if alpha is None else 4), np.uint8)
    if alpha is not None:
        blank[..., 3] = alpha
    frame = storable(content._replace(pixels=blank, notes=()), request.out)  # refused now or never
    devices.keep_compiled(cache().parent)
    h, w = shapes[-1]
    which = about(request, request.weights_dir)
    print(
        f"neural_style: {device}, {which}, {w} x {h} pixels, about {needed / 2**20:,.0f} MiB",
        flush=True,
    )
    for line in notes(request, content, styles, masks, frame):
        print(line)

    def write(image: np.ndarray, path: Path) -> None:
        pixels = image if alpha is None else np.dstack([image, alpha])
        write_picture(path, storable(frame._replace(pixels=pixels), path))

    from experiments.neural_style.painting import Images, make

    images = Images(
        colors_of(content.pixels),
        [colors_of(style.pixels) for style in styles],
        [weight_of(mask.pixels) for mask in masks],
    )
    make(request, name, shapes, images, write)
    print(f"{request.out}: {w} x {h} pixels")


def notes(request: Request, content, styles, masks, frame) -> Iterator[str]:
    """What there is to say of the pictures: what was read otherwise than it says, or can't be written."""
    files = {request.content: content} | dict(zip(request.style, styles, strict=True))
    for path, picture in (files | dict(zip(request.masks, masks, strict=True))).items():
        for note in picture.notes:
            yield f"{path}: {note}"
    for path, style in zip(request.style, styles, strict=True):
        if (style.profile or content.profile) and style.profile != content.profile:
            yield f"{path}: taken as if its colour profile were that of {request.content}"
    for note in frame.notes:
        yield f"{request.out}: {note}"


def weight_of(pixels: np.ndarray) -> np.ndarray:
    """What a mask `[H, W, 1 to 4]` says: brightness (BT.601) times alpha, float32 `[H, W]` in [0, 1]."""
    levels = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    channels = pixels.shape[2]
    bright = levels[..., :3] @ np.float32([0.299, 0.587, 0.114]) if channels > 2 else levels[..., 0]
    return bright * levels[..., -1] if channels in (2, 4) else bright
