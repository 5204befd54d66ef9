"""Painting a photograph at one scale after another: what is asked for, where it begins, what is shown."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.neural_style.config import Config
from experiments.neural_style.experiment import calibration_images
from experiments.neural_style.network import prepare
from experiments.neural_style.request import Request, artwork_shape
from experiments.neural_style.style import (
    adam,
    lbfgs,
    make_task,
    noise,
    optimise,
    seen,
    to_pixels,
)
from lib.base.errors import UserError
from lib.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
from lib.ops.resize import resize
from lib.pretrained import load
from lib.run.keys import root_keys
from lib.run.watch import Watch

Shapes = list[tuple[int, int]]
Write = Callable[[np.ndarray, Path], None]


class Images(NamedTuple):
    """float32 in 0..255, `[H, W, 3]`; masks in [0, 1], `[H, W]`."""

    content: np.ndarray
    styles: list[np.ndarray]
    masks: list[np.ndarray]


class Previews(Watch):
    """Shows progress, keeps the image, and hands each preview to `save(image, step)`."""

    def __init__(self, save: Callable[[np.ndarray, int], None]):
        self.image, self._save, self._bar = None, save, None

    def began(self, training, done, steps):
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
    pretrained = load(name, request.weights_dir)
    network = prepare(pretrained, pooling=request.pooling, calibration=calibration_images()[0])
    paintings = [
        artwork_shape(request, name, path, style.shape[:2], shapes[0])
        for path, style in zip(request.style, images.styles, strict=True)
    ]
    check_layers(network, request, min((shapes[0], *paintings), key=min))
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
    if smaller is None and request.initial == "noise":
        return lambda key: noise(key, (*shape, 3), Config.noise)
    if smaller is not None:
        begin = resize(smaller, shape)
    else:
        first = images.content if request.initial == "content" else images.styles[0]
        begin = seen(network, first, shape)
    return lambda key: jnp.asarray(begin)


def check_layers(network, request: Request, smallest: tuple[int, int]) -> None:
    """Raises UserError (code 2) if the network has no such layers, or an image is too small for them."""

    taps = (*request.content_layers, *request.style_layers)
    if flat := [tap for tap in taps if tap == "logits" or tap.startswith("fc")]:
        raise UserError(f"{flat[0]} has no positions: name layers before it", 2)

    def look(h: int, w: int) -> None:
        image = jax.ShapeDtypeStruct((h, w, 3), "float32")
        jax.eval_shape(lambda image: network.features(network.params, image, taps), image)

    try:
        look(224, 224)
    except ValueError as error:
        raise UserError(f"{network.name} has {error}", 2) from None
    try:
        look(*smallest)
    except ValueError as error:
        said = f"{smallest[1]} x {smallest[0]} pixels are too few for {', '.join(taps)} ({error})"
        raise UserError(f"{said}: a larger --size, or fewer --scales", 2) from None


def recolored(pixels: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """Brightness of one, colours of the other: uint8 `[h, w, 3]`."""
    photograph = np.clip(resize(photograph, pixels.shape[:2]), 0, 255)
    brightness, colors = (rgb_to_ycbcr(image / np.float32(255)) for image in (pixels, photograph))
    mixed = ycbcr_to_rgb(np.concatenate([brightness[..., :1], colors[..., 1:]], axis=-1))
    return np.clip(255 * mixed + 0.5, 0, 255).astype(np.uint8)
