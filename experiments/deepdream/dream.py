"""python -m experiments.deepdream dream IN OUT: a dream on an image of yours, or a zoom into it."""

import dataclasses
import io
import math
import sys
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from experiments.deepdream.config import Name
from experiments.deepdream.layers import LAYERS
from lib.base.errors import UserError, option
from lib.base.words import Folder, read_options
from lib.run.config import at_least

BYTES_AT_LEAST = 700 * 2**20
"""Of the process before any image, on the safe side: with a small one it took 400 MiB in all."""
MS_A_FRAME = 80
"""Of the GIF."""
GUIDE_SIDE = 256
"""Longer side that a guide is shrunk to: each of its positions is compared with each of the image's."""

Positional = tyro.conf.Positional


@dataclasses.dataclass(frozen=True)
class Request:
    """What to dream on, and how."""

    source: Annotated[Path, Positional, tyro.conf.arg(metavar="IN")]
    """An image of any kind."""
    target: Annotated[Path, Positional, tyro.conf.arg(metavar="OUT")]
    """Written whole or not at all: .png, .tif or .jpg; with --zoom .gif."""
    layer: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """What is strengthened; a wrong name lists all (default: inception_4c, or fire7 of SqueezeNet; with a
    guide inception_3b, or fire5)."""
    guide: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE", help_behavior_hint="")] = None
    """Strengthen what is like this image's features."""
    zoom: int = 0
    """Frames of a film: each a dream of the one before, magnified."""
    zoom_share: float = 0.05
    """Share of the sides that is cut off between frames."""
    size: int = 1024
    """Longer side of OUT in pixels, at most that of IN."""
    octaves: int = 4
    """Sizes at which to dream."""
    octave_scale: float = 1.4
    """Factor between them."""
    iterations: int = 10
    """Steps at each size."""
    step: float = 1.5
    """Mean absolute change of a step, in levels of 255."""
    jitter: int = 32
    """The most, in pixels, by which the image is shifted before a step."""
    clip: bool = True
    """Keep levels in 0 to 255 at every step; --no-clip: contrast is reduced in the end."""
    max_megapixels: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = (
        None
    )
    """Of each file, the most that are read (default: 89, against files made to fill the memory)."""
    network: Literal["auto", "googlenet", "squeezenet1_1"] = "auto"
    """auto: GoogLeNet if its file is at hand, or else SqueezeNet."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files."""
    seed: int = 0
    """Of the shifts."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute."""

    def __post_init__(self):
        at_least(self, size=1, octaves=1, iterations=1, jitter=0, zoom=0, seed=0)
        if not 1 < self.octave_scale < math.inf:
            raise ValueError(f"--octave-scale must be above 1, not {self.octave_scale}")
        if not 0 < self.step < math.inf:
            raise ValueError(f"--step must be above 0, not {self.step}")
        if not 0 < self.zoom_share < 1:
            raise ValueError(f"--zoom-share must be between 0 and 1, not {self.zoom_share}")
        if self.max_megapixels is not None and not 0 < self.max_megapixels < 1e6:
            raise ValueError("--max-megapixels must be above 0 and below a million")


def choose(network: str, folder: Path | None) -> Name:
    """The network that "auto" means here."""
    from lib.pretrained import at_hand

    if network != "auto":
        return network
    return "googlenet" if at_hand("googlenet", folder) else "squeezenet1_1"


def main(words: list[str]) -> None:
    """Reads IN, dreams, writes OUT. Raises UserError for what cannot be.

    OUT has the colour profile and the transparency of IN; a GIF has neither.
    """
    about = "A dream on an image: whatever a layer of a network finds in it is strengthened."
    prog = "python -m experiments.deepdream dream"
    request = read_options(Request, words, prog=prog, description=about)

    from lib.pictures.picture import colors_of, read_picture, storable, write_picture
    from lib.pretrained import cache

    picture = read_picture(request.source, request.max_megapixels)
    guide = request.guide and read_picture(request.guide, request.max_megapixels)
    name = choose(request.network, request.weights_dir)
    height, width = shape = shrunk(picture.pixels.shape[:2], request.size)
    if request.zoom:
        check_gif(request.target)
        frame = None
    else:
        from lib.ops.resize import alpha_of

        alpha = alpha_of(picture.pixels, shape)
        blank = np.zeros((height, width, 3 if alpha is None else 4), np.uint8)
        if alpha is not None:
            blank[..., 3] = alpha
        frame = storable(picture._replace(pixels=blank), request.target)  # refused now or never
    from lib.run import devices

    device = devices.choose(request.device)
    guide_shape = guide and shrunk(guide.pixels.shape[:2], GUIDE_SIDE)
    check_sizes(request, name, shape, guide_shape)
    needed = bytes_needed(name, height * width)
    check_memory(request, name, needed)
    devices.keep_compiled(cache().parent)
    print(f"deepdream: {device}, {name}, {width} x {height} pixels", flush=True)
    for path, opened in ((request.source, picture), (request.guide, guide)):
        for note in opened.notes if opened else ():
            print(f"{path}: {note}")
    begin = colors_of(picture.pixels)
    film = make(request, name, begin, shape, guide and colors_of(guide.pixels), guide_shape)
    if frame is None:
        write_gif(request.target, film)
    else:
        pixels = frame.pixels.copy()
        pixels[..., :3] = film[-1]
        write_picture(request.target, frame._replace(pixels=pixels))
        for note in frame.notes[len(picture.notes) :]:
            print(f"{request.target}: {note}")
    frames = f"{len(film)} frames of " if request.zoom else ""
    print(f"{request.target}: {frames}{width} x {height} pixels")


def shrunk(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """`shape` with its longer side at most `size`."""
    scale = min(1.0, size / max(shape))
    return tuple(max(1, round(n * scale)) for n in shape)


def check_gif(path: Path) -> None:
    """Raises UserError (code 2) if no GIF can be written there."""
    from lib.base.files import disk_errors

    if path.suffix.lower() != ".gif":
        raise UserError(f"{path}: a film's name must end in .gif", 2)
    with disk_errors(f"cannot write {path}", code=2):
        if path.is_dir():
            raise UserError(f"{path} is a folder", 2)
        probe = path.with_name(f".{path.name}.part")
        probe.touch()
        probe.unlink()


def check_sizes(request: Request, name: str, shape, guide_shape) -> None:
    """Raises UserError (code 2) if the smallest octave, or the guide, is too small for the network."""
    from experiments.deepdream.octaves import Settings, sizes

    least = LAYERS[name].least_side
    smallest = sizes(shape, Settings(request.octaves, request.octave_scale))[0]
    if min(smallest) < least:
        h, w = smallest
        raise UserError(
            f"{request.source}: {w} x {h} pixels at the smallest octave are too few, {name} needs {least} on "
            "each side: fewer --octaves, or a larger image",
            2,
        )
    if guide_shape and min(guide_shape) < least:
        h, w = guide_shape
        raise UserError(
            f"{request.guide}: {w} x {h} pixels are too few, {name} needs {least} on each side", 2
        )


def bytes_needed(name: str, pixels: int) -> int:
    """Memory to dream on so many pixels, and all else."""
    return BYTES_AT_LEAST + pixels * LAYERS[name].bytes_a_pixel


def check_memory(request: Request, name: str, needed: int) -> None:
    """Raises UserError (code 2), with the size that fits, if the device has fewer than `needed` bytes."""
    import jax

    from lib.base.memory import free_memory

    stats = jax.devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit") or free_memory()
    if free is None or needed <= free:
        return
    share = max(0.9 * free - BYTES_AT_LEAST, 0) / (needed - BYTES_AT_LEAST)
    raise UserError(
        f"--size {request.size} needs {needed / 2**30:.1f} GiB with {name}, {free / 2**30:.1f} GiB are "
        f"free: --size {int(request.size * math.sqrt(share))} fits",
        2,
    )


def make(
    request: Request,
    name: str,
    begin: np.ndarray,
    shape: tuple[int, int],
    guide: np.ndarray | None,
    guide_shape: tuple[int, int] | None,
) -> list[np.ndarray]:
    """The dream, or the frames of the zoom: uint8 `[h, w, 3]` each, of float32 `[H, W, 3]` in 0..255."""
    import jax
    from tqdm import tqdm

    from experiments.deepdream.goals import energy, guided, to_pixels
    from experiments.deepdream.network import check_layer, prepare
    from experiments.deepdream.octaves import Settings, zoom
    from lib.ops.resize import resize
    from lib.pretrained import load

    network = prepare(load(name, request.weights_dir))
    layers = LAYERS[name]
    layer = request.layer or (layers.default if guide is None else layers.guide)
    with option("--layer"):
        check_layer(network, layer, positions=guide is not None)

    def seen(levels, shape):
        return np.clip(resize(levels, shape), 0, 255) - network.mean

    goal = energy(layer)
    if guide is not None:
        goal = guided(network, seen(guide, guide_shape), layer)
    settings = Settings(
        request.octaves,
        request.octave_scale,
        request.iterations,
        request.step,
        request.jitter,
        request.clip,
    )
    frames = zoom(
        network,
        seen(begin, shape),
        goal,
        jax.random.key(request.seed),
        settings,
        frames=request.zoom or 1,
        share=request.zoom_share,
    )
    pause = 0.1 if sys.stderr.isatty() else 15.0
    bar = tqdm(frames, total=request.zoom or 1, desc="dream", unit="frame", mininterval=pause)
    return [to_pixels(network, frame, clip=request.clip) for frame in bar]


def write_gif(path: Path, frames: list[np.ndarray]) -> None:
    """Writes frames, uint8 `[h, w, 3]`, as a GIF that starts again. Raises UserError: the disk refuses."""
    from PIL import Image

    from lib.base.files import disk_errors, write_atomically

    first, *rest = (Image.fromarray(frame) for frame in frames)
    file = io.BytesIO()
    options = {"save_all": True, "duration": MS_A_FRAME, "loop": 0, "optimize": True}
    first.save(file, "GIF", append_images=rest, **options)
    with disk_errors(f"cannot write {path}"):
        write_atomically(path, file.getvalue())
