"""python -m experiments.adversarial fool IN OUT.png --target CLASS: what a network takes for another."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from lib.base.errors import UserError
from lib.base.words import Folder, read_options
from lib.pretrained.classes import CLASSES
from lib.run.config import at_least

LOSSLESS = (".png", ".tif", ".tiff")
"""Endings of formats that keep the last bits, which are all that is changed."""
LEAST_SIDE = 32
"""Pixels of IN: less is mostly what resizing makes up."""

Positional = tyro.conf.Positional


@dataclasses.dataclass(frozen=True)
class Request:
    """What to change into what, and by how much."""

    source: Annotated[Path, Positional, tyro.conf.arg(metavar="IN")]
    """An image of any kind."""
    target_file: Annotated[Path, Positional, tyro.conf.arg(metavar="OUT")]
    """Written whole or not at all: .png or .tif, which keep every bit."""
    target: Annotated[str, tyro.conf.arg(metavar="CLASS", help_behavior_hint="")]
    """What it is to be taken for: a number from 0 to 999 of ILSVRC 2012, or banana, flamingo, ..."""
    epsilon: int = 4
    """The most that a pixel's channel changes, in levels of 255."""
    iterations: int = 60
    """Signed steps, at most."""
    sure: float = 0.9
    """The probability at which it stops."""
    size: int = 1024
    """Longer side of OUT in pixels, at most that of IN."""
    max_megapixels: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = (
        None
    )
    """Of IN, the most that are read (default: 89, against files made to fill the memory)."""
    network: Literal["squeezenet1_1", "googlenet"] = "squeezenet1_1"
    """That is fooled."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute."""

    def __post_init__(self):
        at_least(self, epsilon=1, iterations=1, size=LEAST_SIDE)
        if not 0 < self.sure < 1:
            raise ValueError(f"--sure must be between 0 and 1, not {self.sure}")
        if self.max_megapixels is not None and not 0 < self.max_megapixels < 1e6:
            raise ValueError("--max-megapixels must be above 0 and below a million")
        number_of(self.target)


def number_of(target: str) -> int:
    """The class that `--target` names. Raises ValueError: there is none."""
    if target in CLASSES:
        return CLASSES[target]
    if target.isdecimal() and int(target) < 1000:
        return int(target)
    known = ", ".join(sorted(CLASSES))
    raise ValueError(f"--target is a number from 0 to 999, or one of {known}, not {target!r}")


def named(number: int) -> str:
    """A class with its name, if it is one of the few that have one here."""
    name = next((name for name, n in CLASSES.items() if n == number), None)
    return f"class {number}" + (f" ({name})" if name else "")


def main(words: list[str]) -> None:
    """Reads IN, changes it a little, and writes OUT once the network is fooled by what will be in the file.

    Raises UserError for what cannot be, and where the network is not fooled; then nothing is written.
    """
    about = "An image that a network takes for something else, changed so little that one hardly sees it."
    prog = "python -m experiments.adversarial fool"
    request = read_options(Request, words, prog=prog, description=about)

    from lib.pictures.picture import colors_of, read_picture, storable, write_picture
    from lib.pretrained import cache, load

    if request.target_file.suffix.lower() not in LOSSLESS:
        raise UserError(f"{request.target_file}: a name must end in {', '.join(LOSSLESS)}", 2)
    picture = read_picture(request.source, request.max_megapixels)
    h, w = picture.pixels.shape[:2]
    if min(h, w) < LEAST_SIDE:
        raise UserError(
            f"{request.source}: {w} x {h} pixels are too few, at least {LEAST_SIDE} on each side", 2
        )
    scale = min(1.0, request.size / max(h, w))
    shape = (max(1, round(h * scale)), max(1, round(w * scale)))
    blank = np.zeros((*shape, 3), np.uint8)
    frame = storable(picture._replace(pixels=blank), request.target_file)  # refused now or never
    from lib.run import devices

    device = devices.choose(request.device)
    devices.keep_compiled(cache().parent)
    print(f"adversarial: {device}, {request.network}, {shape[1]} x {shape[0]} pixels", flush=True)
    for note in frame.notes:
        print(f"{request.source}: {note}")
    pretrained = load(request.network, request.weights_dir)
    from lib.ops.resize import resize

    levels = np.clip(np.rint(resize(np.array(colors_of(picture.pixels)), shape)), 0, 255)
    target = number_of(request.target)
    result = fooled(pretrained, levels, target, request)
    likeliest = int(result.after.argmax())
    if likeliest != target:
        raise UserError(
            f"not fooled: the network still says {named(likeliest)}, and {named(target)} with "
            f"{result.after[target]:.1%}: a larger --epsilon, or more --iterations"
        )
    write_picture(request.target_file, frame._replace(pixels=result.pixels))
    first = int(result.before.argmax())
    print(f"{request.source}: {named(first)}, {result.before[first]:.1%}")
    print(
        f"{request.target_file}: {named(target)}, {result.after[target]:.1%}; changed by at most "
        f"{int(np.abs(result.pixels - levels).max())} of 255"
    )


@dataclasses.dataclass(frozen=True)
class Found:
    """`pixels` uint8 `[h, w, 3]`; the network's probabilities `[1000]` before and after."""

    pixels: np.ndarray
    before: np.ndarray
    after: np.ndarray


def fooled(pretrained, levels: np.ndarray, target: int, request: Request) -> Found:
    """Signed steps towards `target` from whole `levels` `[h, w, 3]`, never farther than epsilon from them.

    The network sees it at its own size, whole; what counts is the image in whole levels, as a file has it.
    """
    import jax
    import jax.numpy as jnp

    from lib.ops.resize import resize
    from lib.pretrained.recognition import make_classifier

    side, logits = pretrained.network.side, make_classifier(pretrained)
    shape = tuple(round(n * side / min(levels.shape[:2])) for n in levels.shape[:2])
    params = jax.device_put(pretrained.params)

    def log_probabilities(image, params):
        seen = jnp.clip(resize(image, shape), 0, 255)
        return jax.nn.log_softmax(logits(params, seen[None])[0])

    @jax.jit
    def probabilities(image, params):
        return jnp.exp(log_probabilities(image, params))

    @jax.jit
    def step(image, begin, params):
        gradient = jax.grad(lambda x: log_probabilities(x, params)[target])(image)
        moved = image + size * jnp.sign(gradient)
        return jnp.clip(jnp.clip(moved, begin - most, begin + most), 0.0, 255.0)

    most, size = request.epsilon, max(request.epsilon / 8, 0.5)
    begin = image = jnp.asarray(levels, jnp.float32)
    before = after = np.asarray(probabilities(begin, params))
    whole = levels
    for _ in range(request.iterations):
        image = step(image, begin, params)
        whole = np.rint(np.asarray(image))
        after = np.asarray(probabilities(jnp.asarray(whole), params))
        if after[target] >= request.sure:
            break
    return Found(whole.astype(np.uint8), before, after)
