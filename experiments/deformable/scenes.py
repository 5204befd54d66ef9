"""Scenes made here: shapes of many sizes, each pixel labelled. A pure function of the split and the place.

A large shape's middle looks like a small one's, and like any other shape's: its class is at its border, and a
unit that is to name it must see that far.
"""

import functools
import zlib
from typing import NamedTuple

import numpy as np

CLASSES = ("background", "disc", "triangle", "cross")
SIDE = 64
"""Of a scene, in pixels."""
SMALLEST, LARGEST, MOST = 10, 44, 4
"""Widths of shapes, drawn evenly in their logarithm, and the most shapes in a scene."""
SMALL, LARGE = 16, 27
"""Widths below and above which a shape is small, or large: a third of them each."""
SIZES = ("background", "small", "medium", "large")


class Scenes(NamedTuple):
    """Images uint8 `[n, h, w, 3]`, classes uint8 `[n, h, w]`, and what the objects are.

    Attributes:
      sizes: which of `SIZES` a pixel belongs to, uint8 `[n, h, w]`.
      boxes: top, left, height and width in pixels, float32 `[n, MOST, 4]`; zeros where there is no object.
      labels: classes of the objects, int32 `[n, MOST]`; 0 where there is none.
    """

    images: np.ndarray
    classes: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


@functools.lru_cache(maxsize=4)
def scenes(split: str, count: int) -> Scenes:
    """The first `count` scenes of `split`; read-only."""
    made = [_scene(np.random.default_rng((zlib.crc32(split.encode()), i))) for i in range(count)]
    arrays = Scenes(*map(np.stack, zip(*made, strict=True)))
    for array in arrays:
        array.setflags(write=False)
    return arrays


def _scene(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    image = _texture(rng)
    classes, sizes = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    boxes, labels = np.zeros((MOST, 4), np.float32), np.zeros(MOST, np.int32)
    number = rng.integers(2, MOST + 1)
    # The largest first, so that none is hidden.
    widths = np.sort(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), number)))[::-1]
    for i, width in enumerate(widths):
        label = int(rng.integers(1, len(CLASSES)))
        inside = _shape(CLASSES[label], width, rng.uniform(width / 2, SIDE - width / 2, 2), rng)
        if not inside.any():
            continue
        image = np.where(inside[..., None], _texture(rng), image)
        classes[inside] = label
        sizes[inside] = 1 + int(width >= SMALL) + int(width >= LARGE)
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        first, last = (np.array([rows[end], columns[end]]) for end in (0, -1))
        boxes[i], labels[i] = (*first, *(last - first + 1)), label
    noisy = image + rng.normal(0, 8, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), classes, sizes, boxes, labels


def _texture(rng: np.random.Generator) -> np.ndarray:
    """A colour that changes slowly, float64 `[SIDE, SIDE, 3]`: shapes and ground are alike but for it."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    slope = rng.normal(0, 30, (2, 3))
    return rng.uniform(40, 215, 3) + y[..., None] * slope[0] + x[..., None] * slope[1]


def _shape(name: str, width: float, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pixels of a turned shape, bool `[SIDE, SIDE]`."""
    y, x = np.mgrid[:SIDE, :SIDE] - centre[:, None, None]
    angle = rng.uniform(0, 2 * np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    half = width / 2
    if name == "disc":
        return u**2 + v**2 <= half**2
    if name == "cross":
        return (np.maximum(abs(u), abs(v)) <= half) & (np.minimum(abs(u), abs(v)) <= half / 3.5)
    corners = 2 * np.pi * np.arange(3) / 3
    return np.all([u * np.cos(a) + v * np.sin(a) <= half / 2 for a in corners], axis=0)


def without_objects(images: np.ndarray, classes: np.ndarray) -> Scenes:
    """Labelled images of which no more is known."""
    n = len(images)
    nothing = np.zeros((n, 0, 4), np.float32), np.zeros((n, 0), np.int32)
    return Scenes(images, classes, np.zeros_like(classes), *nothing)
