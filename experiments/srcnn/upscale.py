"""python -m experiments.srcnn upscale IN OUT --scale 3: any image, enlarged by a trained network.

SRCNN's or VDSR's (`--network`): what is done around the network is the same.
"""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from lib.base.errors import UserError
from lib.base.words import read_options

RESULTS = {name: Path(__file__).parent.parent / name / "results" for name in ("srcnn", "vdsr")}
"""Where the weights are that come with each network's paper."""
WINDOW = 224
"""Side of the windows that a large image is computed in, in pixels of the result: a CPU's fastest."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What to enlarge, and with what."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")]
    """An image of any kind: grey or colour, transparent or not, of 8 or 16 bits."""
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Written whole or not at all: .png, .tif or .jpg; IN itself if you like."""
    scale: Literal[2, 3, 4] = 3
    """How many times as wide and as high."""
    network: Literal["srcnn", "vdsr"] = "srcnn"
    """VDSR is the better one, and slower by far."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """A run's folder, a .safetensors file or the authors' .mat (default: those that come with the paper)."""
    max_megapixels: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = (
        None
    )
    """Of IN, the most that are read (default: 89, against files made to fill the memory)."""

    def __post_init__(self):
        if self.max_megapixels is not None and not 0 < self.max_megapixels < 1e6:
            raise ValueError("--max-megapixels must be above 0 and below a million")


def main(words: list[str]) -> None:
    """Reads IN, enlarges it and writes OUT. Raises UserError for what cannot be.

    OUT keeps the resolution (dots an inch) of IN: on paper it is as many times as large.
    """
    about = "Enlarges an image: brightness by SRCNN or VDSR, colours and transparency bicubically."
    prog = "python -m experiments.srcnn upscale"
    request = read_options(Request, words, prog=prog, description=about)

    from lib.pictures.picture import read_picture, storable, write_picture

    scale = request.scale
    picture = read_picture(request.source, request.max_megapixels)
    picture = storable(picture, request.target, scale)
    check_memory(picture.pixels, scale)
    params = load(request.weights, scale, request.network)
    large = picture._replace(pixels=upscale(params, picture.pixels, scale, request.network))
    write_picture(request.target, large)
    (h, w), (height, width) = picture.pixels.shape[:2], large.pixels.shape[:2]
    print("; ".join([f"{request.target}: {w} x {h} -> {width} x {height} pixels", *large.notes]))


def bytes_needed(pixels: np.ndarray, scale: int) -> int:
    """Memory to enlarge `[H, W, C]` and to write the result."""
    height, width, channels = pixels.shape
    # The result, Pillow's copy of 8 bits, the file, at most as large, and once more while its parts are
    # joined; the windows and the programs.
    a_pixel = 3 * channels * pixels.itemsize + (4 if pixels.itemsize == 1 else 0)
    return height * width * scale**2 * a_pixel + 400 * 2**20


def check_memory(pixels: np.ndarray, scale: int) -> None:
    """Raises UserError (code 2) if enlarging needs more memory than there is."""
    from lib.base.memory import free_memory

    needed, free = bytes_needed(pixels, scale), free_memory()
    if free is not None and needed > free:
        height, width = (side * scale for side in pixels.shape[:2])
        raise UserError(
            f"{width} x {height} pixels need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free: "
            "a smaller --scale, or a part of the image",
            2,
        )


def load(path: Path | None, scale: int, network: str = "srcnn") -> dict:
    """The parameters of a network for one channel, read from what `--weights` names.

    Raises:
      UserError: there are none, or they are for another scale or another network.
    """
    from lib.base.weights import load_weights
    from lib.pretrained import authors

    # A VDSR is for all scales.
    name = f"weights-x{scale}.safetensors" if network == "srcnn" else "weights-vdsr.safetensors"
    own = RESULTS[network] / name
    if path is None and not own.exists():
        raise UserError(
            f"no weights for x{scale} come with the paper; name yours with --weights: a run's folder "
            f"(python -m experiments.{network} makes one) or a .mat file of the authors",
            2,
        )
    path = own if path is None else path / name if path.is_dir() else path
    if path.suffix == ".mat":
        if network == "vdsr":
            return authors.vdsr(path)
        # The file itself does not say: the authors name it after its scale.
        if (named := re.fullmatch(r"x(\d)", path.stem)) and named[1] != str(scale):
            raise UserError(f"{path} holds weights for --scale {named[1]}, not {scale}", 2)
        return authors.srcnn(path)[2]
    params, metadata = load_weights(path)
    if metadata.get("paper") != network:
        raise UserError(f"{path} holds weights of {metadata.get('paper')}, not of {network}", 2)
    scales = metadata.get("scale") or metadata.get("scales")
    if str(scale) not in str(scales).split():
        raise UserError(f"{path} holds weights for --scale {scales}, not {scale}", 2)
    try:
        kernels = kernels_of(params)
        inputs = [1, *(kernel.shape[3] for kernel in kernels)]
        for kernel, before, after in zip(kernels, inputs, [*inputs[1:-1], 1], strict=False):
            side = kernel.shape[0] if network == "srcnn" else 3
            if kernel.shape != (side, side, before, after):
                raise ValueError(f"a kernel of shape {kernel.shape}")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        what = {"srcnn": "an SRCNN", "vdsr": "a VDSR"}[network]
        raise UserError(f"{path} does not hold {what} of one channel ({error})", 2) from None
    return params


def kernels_of(params: Mapping[str, Any]) -> list[np.ndarray]:
    """`[f, f, in, out]` of each layer, in order."""
    return [params[f"conv{i}"]["kernel"] for i in range(1, len(params) + 1)]


def module(params: Mapping[str, Any], network: str):
    """The Flax module that `params` are of."""
    from lib.models.super_resolution import SRCNN, VDSR

    shapes = [kernel.shape for kernel in kernels_of(params)]
    if network == "vdsr":
        return VDSR(len(shapes), shapes[0][3])
    return SRCNN([s[0] for s in shapes], [s[3] for s in shapes[:-1]], padding="EDGE")


def upscale(params: dict, pixels: np.ndarray, scale: int, network: str = "srcnn") -> np.ndarray:
    """uint8 or uint16 `[H, W, C]` -> `[H scale, W scale, C]`; C as in `lib.pictures.picture.Picture`."""
    from tqdm import tqdm

    from lib.ops.tiles import in_tiles, spans

    # The bicubic kernel looks 2 pixels far, the network some of the enlarged ones; and as far again
    # must the network find colours beyond the last that is visible.
    halo = 2 + -(-sum(kernel.shape[0] // 2 for kernel in kernels_of(params)) // scale)
    clear = pixels.shape[2] in (2, 4) and bool(
        (pixels[..., -1] != np.iinfo(pixels.dtype).max).any()
    )
    function = enlarger(params, scale, network, beyond=halo if clear else 0)
    halo = 2 * halo if clear else halo
    tile = max(WINDOW // scale, 4 * halo)
    windows = len(spans(pixels.shape[0], tile, halo)) * len(spans(pixels.shape[1], tile, halo))
    pause = 0.1 if sys.stderr.isatty() else 15.0
    # Silent about what takes less than two seconds.
    bar_options = {"desc": "upscale", "unit": "window", "delay": 2, "mininterval": pause}
    with tqdm(total=windows, **bar_options) as bar:

        def counted(window):
            enlarged = np.asarray(function(window))
            bar.update()
            return enlarged

        return in_tiles(counted, pixels, tile=tile, halo=halo, scale=scale)


def enlarger(params: dict, scale: int, network: str = "srcnn", *, beyond: int = 0) -> Callable:
    """The paper's way with a whole image, compiled: bicubic, then the network on Y or grey alone.

    Args:
      beyond: for an image that is not opaque, how many pixels beyond the visible ones are to have their
        colours; 0: all is opaque.
    """
    import jax
    import jax.numpy as jnp

    from lib.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
    from lib.ops.resize import resize

    net = module(params, network)

    @jax.jit
    def enlarge(pixels):
        peak, colors = jnp.iinfo(pixels.dtype).max, pixels.shape[2] > 2
        image = pixels.astype(jnp.float32) / peak
        if colors:
            image = jnp.concatenate([rgb_to_ycbcr(image[..., :3]), image[..., 3:]], axis=2)
        shape = (image.shape[0] * scale, image.shape[1] * scale)
        image = resize_visible(image, shape, beyond) if beyond else resize(image, shape)
        sharp = net.apply({"params": params}, image[None, ..., :1])[0]
        image = jnp.concatenate([sharp, image[..., 1:]], axis=2)
        if colors:
            image = jnp.concatenate([ycbcr_to_rgb(image[..., :3]), image[..., 3:]], axis=2)
        return jnp.floor(jnp.clip(image, 0, 1) * peak + 0.5).astype(pixels.dtype)

    return enlarge


def resize_visible(image, shape: tuple[int, int], beyond: int):
    """`resize` of `[H, W, C]` whose last channel is alpha: what is transparent lends no colour.

    Colours are interpolated multiplied by alpha and divided by it again, so that over any paper the
    result is the interpolated one. Where too little is visible to divide by, they are those of the
    nearest visible pixels, `beyond` pixels far; else the network would see an edge there.
    """
    import jax.numpy as jnp
    from jax import lax

    from lib.ops.resize import resize

    alpha = image[..., -1:]
    premultiplied = jnp.concatenate([image[..., :-1] * alpha, alpha], axis=2)
    near = premultiplied * alpha  # the colour of what can hardly be seen is often arbitrary
    for _ in range(beyond):  # each a ring further, and of little weight beside those within
        near += lax.reduce_window(near, 0.0, lax.add, (3, 3, 1), (1, 1, 1), "SAME") / 64
    fill = resize(near[..., :-1] / jnp.maximum(near[..., -1:], 1e-30), shape)
    large = resize(premultiplied, shape)
    color, alpha = large[..., :-1], large[..., -1:]
    lack = jnp.maximum(0.25 - alpha, 0)
    return jnp.concatenate([(color + lack * fill) / (alpha + lack), alpha], axis=2)
