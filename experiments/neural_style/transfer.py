"""python -m experiments.neural_style --content PHOTO --style PAINTING --out RESULT: files of yours."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.neural_style.config import Config, about, choose
from experiments.neural_style.request import (
    Request,
    artwork_shape,
    bytes_needed,
    check_memory,
    check_sides,
    sizes,
)
from lib.base.errors import UserError
from lib.base.words import read_options
from lib.run.watch import Watch

Shapes = list[tuple[int, int]]
Write = Callable[[np.ndarray, Path], None]


class Images(NamedTuple):
    """float32 in 0..255, `[H, W, 3]`; masks in [0, 1], `[H, W]`."""

    content: np.ndarray
    styles: list[np.ndarray]
    masks: list[np.ndarray]


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
    files = {request.content: content} | dict(zip(request.style, styles, strict=True))
    for path, picture in (files | dict(zip(request.masks, masks, strict=True))).items():
        for note in picture.notes:
            print(f"{path}: {note}")
    for path, style in zip(request.style, styles, strict=True):
        if (style.profile or content.profile) and style.profile != content.profile:
            print(f"{path}: taken as if its colour profile were that of {request.content}")
    for note in frame.notes:
        print(f"{request.out}: {note}")

    def write(image: np.ndarray, path: Path) -> None:
        pixels = image if alpha is None else np.dstack([image, alpha])
        write_picture(path, storable(frame._replace(pixels=pixels), path))

    images = Images(
        colors_of(content.pixels),
        [colors_of(style.pixels) for style in styles],
        [weight_of(mask.pixels) for mask in masks],
    )
    make(request, name, shapes, images, write)
    print(f"{request.out}: {w} x {h} pixels")


def alpha_of(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The alpha channel of `[H, W, 1 to 4]`, uint8 at `shape`; None if there is none, or all is opaque."""
    from lib.ops.resize import resize

    peak = np.iinfo(pixels.dtype).max
    if pixels.shape[2] in (1, 3) or (pixels[..., -1] == peak).all():
        return None
    alpha = resize(pixels[..., -1] * np.float32(255 / peak), shape)
    return np.clip(alpha + 0.5, 0, 255).astype(np.uint8)


def weight_of(pixels: np.ndarray) -> np.ndarray:
    """What a mask `[H, W, 1 to 4]` says: brightness (BT.601) times alpha, float32 `[H, W]` in [0, 1]."""
    levels = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    channels = pixels.shape[2]
    bright = levels[..., :3] @ np.float32([0.299, 0.587, 0.114]) if channels > 2 else levels[..., 0]
    return bright * levels[..., -1] if channels in (2, 4) else bright


class Previews(Watch):
    """Shows progress, keeps the image, and hands each preview to `save(image, step)`."""

    def __init__(self, save: Callable[[np.ndarray, int], None]):
        self.image, self._save, self._bar = None, save, None

    def began(self, training, done, steps):
        from tqdm import tqdm

        pause = 0.1 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(total=steps, desc=training, unit="step", mininterval=pause)

    def chunk(self, training, step, state, row, *, last):
        self.image = np.asarray(state.image[0])
        self._bar.set_postfix(loss=f"{row['loss'][0]:.4g}", refresh=False)
        self._bar.update(step - self._bar.n)
        if not last:
            self._save(self.image, step)

    def close(self):
        """Leaves the line of the progress bar."""
        if self._bar is not None:
            self._bar.close()

    def non_finite(self, training, step, metric):
        raise UserError(
            f"the loss is not finite at step {step}: a smaller --learning-rate, or another --optimiser"
        )


def make(request: Request, name: str, shapes: Shapes, images: Images, write: Write) -> None:
    """Optimises the image at each scale; `write(uint8 [h, w, 3], path)` is given previews and the result."""
    from experiments.neural_style.experiment import calibration_images
    from experiments.neural_style.network import prepare
    from experiments.neural_style.style import adam, lbfgs, optimise, to_pixels
    from lib.pretrained import load
    from lib.run.keys import root_keys

    pretrained = load(name, request.weights_dir)
    network = prepare(pretrained, pooling=request.pooling, calibration=calibration_images()[0])
    check_layers(network, request)
    tx = lbfgs(Config.memory) if request.optimiser == "lbfgs" else adam(request.learning_rate)
    image = None
    for scale, shape in enumerate(shapes):

        def save(image, step, before=scale * request.iterations):
            if request.save_every and (before + step) % request.save_every == 0:
                shown = finished(image)
                write(shown, request.out)
                if request.keep_previews:
                    write(shown, request.out.with_stem(f"{request.out.stem}-{before + step:04d}"))

        def finished(image):
            pixels = to_pixels(network, image)
            return recolored(pixels, images.content) if request.original_colors else pixels

        watch = Previews(save)
        try:
            trained = optimise(
                network,
                f"{shape[1]} x {shape[0]}",
                task_at(network, request, images, shape),
                start_at(network, request, images, shape, image),
                root_keys((request.seed,)),
                tx,
                iterations=request.iterations,
                every=math.gcd(request.save_every, 10),
                watch=watch,
            )
        except KeyboardInterrupt:
            if watch.image is None:
                raise
            write(finished(watch.image), request.out)
            line = f"interrupted; {request.out} is as far as it went"
            raise UserError(line, 130) from None
        finally:
            watch.close()
        image = np.asarray(trained.state.image[0])
    write(finished(image), request.out)


def task_at(network, request: Request, images: Images, shape: tuple[int, int]):
    """What the image is to be like at one scale."""
    from experiments.neural_style.style import make_task, seen
    from lib.ops.resize import resize

    artworks = [
        seen(network, style, artwork_shape(request, network.name, path, style.shape[:2], shape))
        for path, style in zip(request.style, images.styles, strict=True)
    ]
    return make_task(
        network,
        seen(network, images.content, shape),
        artworks,
        ratio=network.layers.ratio if request.ratio is None else request.ratio,
        content_weights=dict.fromkeys(request.content_layers, 1.0) or None,
        style_layers=request.style_layers or None,
        style_weights=request.style_weights or None,
        masks=[np.clip(resize(mask, shape), 0, 1) for mask in images.masks] or None,
        smooth=request.smooth,
    )


def start_at(network, request: Request, images: Images, shape, smaller: np.ndarray | None):
    """`start(key)`: the result at the smaller scale, or what `--initial` says."""
    import jax.numpy as jnp

    from experiments.neural_style.style import noise, seen
    from lib.ops.resize import resize

    if smaller is None and request.initial == "noise":
        return lambda key: noise(key, (*shape, 3), Config.noise)
    if smaller is not None:
        begin = resize(smaller, shape)
    else:
        first = images.content if request.initial == "content" else images.styles[0]
        begin = seen(network, first, shape)
    return lambda key: jnp.asarray(begin)


def check_layers(network, request: Request) -> None:
    """Raises UserError (code 2) if the network has no such layers."""
    import jax

    taps = (*request.content_layers, *request.style_layers)
    if flat := [tap for tap in taps if tap == "logits" or tap.startswith("fc")]:
        raise UserError(f"{flat[0]} has no positions: name layers before it", 2)
    side = network.layers.least_side
    image = jax.ShapeDtypeStruct((side, side, 3), "float32")
    try:
        jax.eval_shape(lambda image: network.features(network.params, image, taps), image)
    except ValueError as error:
        raise UserError(f"{network.name} has {error}", 2) from None


def recolored(pixels: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """Brightness of one, colours of the other: uint8 `[h, w, 3]`."""
    from lib.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
    from lib.ops.resize import resize

    photograph = np.clip(resize(photograph, pixels.shape[:2]), 0, 255)
    brightness, colors = (rgb_to_ycbcr(image / np.float32(255)) for image in (pixels, photograph))
    mixed = ycbcr_to_rgb(np.concatenate([brightness[..., :1], colors[..., 1:]], axis=-1))
    return np.clip(255 * mixed + 0.5, 0, 255).astype(np.uint8)
