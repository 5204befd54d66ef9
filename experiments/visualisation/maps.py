"""Which pixels matter for a class: by the gradient of its score, and by hiding them."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

Logits = Callable
"""`logits(params, images [n, h, w, 3] in 0..255) -> [n, classes]`."""

GREY = 117.0
"""What hides: about the mean of photographs, in levels of 255."""


@functools.lru_cache
def _gradient(logits: Logits) -> Callable:
    @jax.jit
    def gradient(params, images, label):
        return jax.grad(lambda x: logits(params, x)[:, label].sum())(images)

    return gradient


def saliency(logits: Logits, params, image: np.ndarray, label: int) -> np.ndarray:
    """The largest |d score / d pixel| over channels, mean over the image and its mirror image: `[h, w]`.

    Simonyan et al., section 3: of the score, not of the probability, which also rises when others fall.
    """
    both = jnp.asarray(np.stack([image, image[:, ::-1]]), jnp.float32)
    slopes = np.abs(np.asarray(_gradient(logits)(params, both, label))).max(axis=-1)
    return (slopes[0] + slopes[1][:, ::-1]) / 2


def cells(values: np.ndarray, side: int) -> np.ndarray:
    """Means over squares of `side` pixels, `[h, w]` -> `[h // side, w // side]`; what is over is left out."""
    h, w = (n // side for n in values.shape)
    return values[: h * side, : w * side].reshape(h, side, w, side).mean(axis=(1, 3))


def hidden(image: np.ndarray, mask: np.ndarray, side: int) -> np.ndarray:
    """`image` `[h, w, 3]` with the cells of `mask` `[h // side, w // side]` grey."""
    whole = np.zeros(image.shape[:2], bool)
    large = np.kron(mask, np.ones((side, side), bool))
    whole[: large.shape[0], : large.shape[1]] = large
    return np.where(whole[:, :, None], np.float32(GREY), image)


@functools.lru_cache
def _probabilities(logits: Logits) -> Callable:
    return jax.jit(lambda params, images: jax.nn.softmax(logits(params, images)))


def probabilities(logits: Logits, params, images: np.ndarray, batch: int = 16) -> np.ndarray:
    """`[n, classes]` of `[n, h, w, 3]`, `batch` at a time."""
    padded = np.concatenate([images, np.repeat(images[-1:], -len(images) % batch, axis=0)])
    parts = [
        np.asarray(_probabilities(logits)(params, jnp.asarray(padded[i : i + batch], jnp.float32)))
        for i in range(0, len(padded), batch)
    ]
    return np.concatenate(parts)[: len(images)]


def occlusion(
    logits: Logits, params, image: np.ndarray, label: int, *, side: int, grid: int
) -> np.ndarray:
    """How much a class's probability falls where a grey square hides the image (Zeiler and Fergus, Figure 7).

    A square of `side` pixels, centred on each of `grid` x `grid` cells: `[grid, grid]`.
    """
    h, w = image.shape[:2]
    squares = []
    for y in range(grid):
        for x in range(grid):
            top = round((y + 0.5) * h / grid - side / 2)
            left = round((x + 0.5) * w / grid - side / 2)
            copy = np.array(image, np.float32)
            copy[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = GREY
            squares.append(copy)
    chances = probabilities(logits, params, np.stack([image, *squares]))[:, label]
    return (chances[0] - chances[1:]).reshape(grid, grid)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, of two arrays of one shape."""
    ranks = (np.argsort(np.argsort(x.ravel())) for x in (a, b))
    return float(np.corrcoef(*ranks)[0, 1])
