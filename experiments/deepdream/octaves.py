"""The algorithm: an image in which a layer sees more of what it sees, from small to large."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.deepdream.goals import Features, Goal, Network, make_objective
from lib.ops.resize import resize_linear, zoomed
from lib.steps.pixels import init_state, mean_absolute, pixels


class Settings(NamedTuple):
    """How one dreams; the notebook's values. All but `octaves` and `scale` go into one compiled program.

    Attributes:
      octaves, scale: how many sizes, and each by how much larger than the one before.
      iterations: steps at each size.
      step: the mean absolute change of a step, in levels of 255.
      jitter: the most, in pixels, by which the image is shifted before a step.
      clip: keep the image in 0..255.
      random: go into a random direction instead of the gradient's: a control.
      coarse: 0: the gradient as it is; 1: its amplitudes divided by frequency, as those of natural
        images are.
    """

    octaves: int = 4
    scale: float = 1.4
    iterations: int = 10
    step: float = 1.5
    jitter: int = 32
    clip: bool = True
    random: bool = False
    coarse: float = 0.0


class Dream(NamedTuple):
    """The image, float32 `[h, w, 3]` as the network sees it; `curve` `[octaves, 2]`: the objective before the
    first and before the last step of each octave."""

    image: np.ndarray
    curve: np.ndarray


def natural(gradient: jax.Array, power: jax.Array | float) -> jax.Array:
    """`[h, w, c]` with amplitudes divided by frequency to the `power`, at least by that of one wave an image.

    A photograph's amplitudes fall as 1 / frequency: without such a prior what a class looks like drowns
    in fine noise (blog, June 2015).
    """
    h, w = gradient.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :])
    weight = jnp.asarray(np.maximum(frequency, 1 / max(h, w)), jnp.float32) ** -power
    spectrum = jnp.fft.rfft2(gradient, axes=(0, 1)) * weight[:, :, None]
    return jnp.fft.irfft2(spectrum, s=(h, w), axes=(0, 1))


def ascent(settings: Settings, key: jax.Array) -> optax.GradientTransformation:
    """A step of `settings`' size down a gradient, or in a random direction that `key` draws."""

    def direction(gradient, params=None):
        del params
        coarse = settings.coarse
        filtered = jax.lax.cond(coarse > 0, lambda g: natural(g, coarse), lambda g: g, gradient)
        return jnp.where(settings.random, jax.random.normal(key, gradient.shape), filtered)

    return optax.chain(optax.stateless(direction), mean_absolute(settings.step), optax.scale(-1.0))


def make_step(objective: Callable) -> Callable:
    """`step(image, (params, goal, mean), settings, key) -> (image, objective before)`.

    Shift, climb, shift back, clip: everything that the notebook does in a step.
    """

    def step(image, data, settings, key):
        params, goal, mean = data
        shift_key, direction_key = jax.random.split(key)
        most = settings.jitter
        shift = jax.random.randint(shift_key, (2,), -most, most + 1)
        tx = ascent(settings, direction_key)
        rule = pixels(lambda image, data: -objective(image, data), tx)
        rolled = jnp.roll(image, shift, (0, 1))
        moved, metrics = rule(init_state(rolled, tx), (params, goal))
        image = jnp.roll(moved.image, -shift, (0, 1))
        clipped = jnp.clip(image, -mean, 255 - mean)
        return jnp.where(settings.clip, clipped, image), -metrics["loss"]

    return step


def make_climb(objective: Callable) -> Callable:
    """`climb(image, data, settings, key) -> (image, [first, last] objective)`: the steps of an octave."""
    step = make_step(objective)

    def climb(image, data, settings, key):
        def body(t, carry):
            image, curve = carry
            image, reached = step(image, data, settings, jax.random.fold_in(key, t))
            first = jnp.where(t == 0, reached, curve[0])
            return image, jnp.stack([first, reached])

        # A number of steps that the program is given: the same one serves all.
        return jax.lax.fori_loop(0, settings.iterations, body, (image, jnp.zeros(2)))

    return climb


@functools.lru_cache
def compiled_climb(features: Features) -> Callable:
    """`make_climb` of a network, compiled once a shape and set of layers."""
    return jax.jit(make_climb(make_objective(features)))


def as_data(settings: Settings) -> Settings:
    """Without what the host does, as arrays."""
    numbers = {"iterations": jnp.int32, "jitter": jnp.int32, "step": jnp.float32}
    numbers |= {"coarse": jnp.float32, "clip": jnp.bool_, "random": jnp.bool_}
    arrays = {name: kind(getattr(settings, name)) for name, kind in numbers.items()}
    return Settings(octaves=None, scale=None, **arrays)


def sizes(shape: tuple[int, int], settings: Settings) -> list[tuple[int, int]]:
    """The shape at each octave, the smallest first: each rounded from the one above it."""
    shapes = [tuple(shape)]
    for _ in range(settings.octaves - 1):
        shapes.append(tuple(max(1, round(n / settings.scale)) for n in shapes[-1]))
    return shapes[::-1]


def dream(
    network: Network,
    image: np.ndarray,
    goal: Goal,
    key: jax.Array,
    settings: Settings = Settings(),
) -> Dream:
    """`image`, float32 `[h, w, 3]` as the network sees it, dreamt on at every octave.

    What an octave adds (its detail) is enlarged and added to the photograph at the next size, so that the
    photograph itself stays sharp.
    """
    climb = compiled_climb(network.features)
    data = (network.params, goal, jnp.asarray(network.mean).reshape(1, 1, 3))
    bases = [np.asarray(image, np.float32)]
    for shape in sizes(image.shape[:2], settings)[-2::-1]:
        bases.append(resize_linear(bases[-1], shape))
    detail, curves, dreamt = np.zeros_like(bases[-1]), [], bases[-1]
    for octave, base in enumerate(reversed(bases)):
        detail = resize_linear(detail, base.shape[:2])
        key_here = jax.random.fold_in(key, octave)
        image, curve = climb(jnp.asarray(base + detail), data, as_data(settings), key_here)
        dreamt = np.asarray(image)
        detail = dreamt - base
        curves.append(np.asarray(curve))
    return Dream(dreamt, np.stack(curves))


def zoom(
    network: Network,
    image: np.ndarray,
    goal: Goal,
    key: jax.Array,
    settings: Settings,
    *,
    frames: int,
    share: float,
):
    """Yields `frames` dreams, each of the one before, with `share` of its sides cut off and enlarged."""
    for frame in range(frames):
        image = dream(network, image, goal, jax.random.fold_in(key, frame), settings).image
        yield image
        image = zoomed(image, share)
