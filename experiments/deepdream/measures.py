"""Numbers of images: how coarse, how alike; and of rows of them."""

from collections.abc import Sequence

import numpy as np

from lib.ops.color import luma
from lib.ops.resize import interpolate


def wavelength(change: np.ndarray) -> float:
    """Of `[h, w, 3]`, in pixels: one over the mean frequency, each weighted with its power in brightness."""
    brightness = luma(np.asarray(change, np.float64) / 255)
    brightness = brightness - brightness.mean()
    h, w = brightness.shape
    # Faded out towards the border, which would otherwise count as an edge.
    brightness = brightness * np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1])
    power = np.abs(np.fft.fft2(brightness)) ** 2
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None, :])
    return float(power.sum() / max((power * frequency).sum(), 1e-30))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of two images' brightness."""
    a, b = (luma(np.asarray(x, np.float64) / 255).ravel() for x in (a, b))
    return float(np.corrcoef(a, b)[0, 1])


def magnified(image: np.ndarray, share: float, times: int) -> np.ndarray:
    """What `zoomed`, applied `times` times, shows of an image, interpolated once."""
    scale, points = (1 - share) ** times, []
    for n in image.shape[:2]:
        # Fixed under p -> (1 - share) p + n share / 2.
        points.append(n / 2 + scale * (np.arange(n) - n / 2))
    return interpolate(image, *points)


def rank_correlation(values: np.ndarray) -> float:
    """Spearman's, of values with their order."""
    ranks = np.argsort(np.argsort(values))
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1]) if len(values) > 1 else 0.0


def means(per_item: Sequence[Sequence[float]]) -> list[float]:
    """`[items][seeds]` -> the mean over items, one a seed."""
    return np.mean(np.asarray(per_item, float), axis=0).tolist()
