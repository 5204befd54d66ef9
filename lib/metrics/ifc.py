"""Information fidelity criterion (Sheikh, Bovik & de Veciana 2005, IEEE TIP 14(12))."""

import chex
import numpy as np

from lib.ops.steerable_pyramid import steerable_pyramid

LEVELS = 4
M = 3
"""Wavelet coefficients are taken in blocks of M x M, the vectors of the model."""
NOISE_FLOOR = 1e-10
"""What the authors' code adds to each noise variance; it alone keeps `ifc(x, x)` finite."""
FLAT = 1e-7
"""A variance below this is zero."""
MIN_SIDE = 65


def ifc(image: np.ndarray, reference: np.ndarray) -> float:
    """The information that `image` keeps of `reference`, in bits per pixel, at least 0.

    In NumPy and float64 (see `steerable_pyramid`).

    In each band of a steerable pyramid the reference is a Gaussian scale mixture `x = s u` of
    vectors, u ~ N(0, C) and s^2 a field, and the image is `y = g x + v`, v ~ N(0, sigma_v^2), with
    g and sigma_v local. Given s, the two share, in bits,

        1/2  sum over blocks, over eigenvalues l_j of C:  log2(1 + g^2 s^2 l_j / sigma_v^2).

    This is what the authors' `ifcvec.m` computes and super-resolution papers report. It differs
    from the paper: no 1/2; horizontal and vertical bands of four levels; g and sigma_v from windows
    of 17, 9, 5 and 3 coefficients a side, finest level first; only blocks whose window lies inside
    the band, though the sum is divided by all pixels. Not symmetric.

    Blocks lie 3 pixels apart at the finest level. The error of an image enlarged by 3 has that
    period as well, so that where such an image is cropped moves its IFC by up to 3 %.

    Args:
      image, reference: `[H, W]`, in 0..255.

    Raises:
      ValueError: a side is shorter than 65 pixels.
    """
    chex.assert_rank([image, reference], 2)
    chex.assert_equal_shape([image, reference])
    if min(reference.shape) < MIN_SIDE:
        raise ValueError(f"a {reference.shape} image: its sides must be at least {MIN_SIDE}")
    x, y = (np.asarray(z, np.float64) for z in (reference, image))
    # The pyramid is linear and the error is small: bands of the error have digits that the difference of two
    # bands lacks. Nor does a band see a constant.
    bits = 0.0
    for level, bands in enumerate(steerable_pyramid(np.stack([x - x.mean(), y - x]), LEVELS)):
        window = 2 ** (LEVELS - level) + 1
        bits += sum(_information(*both, window) for both in zip(*bands, strict=True))
    return float(bits / x.size)


def _information(x: np.ndarray, error: np.ndarray, window: int) -> float:
    """Bits that the band `x + error` shares with `x`, both `[h, w]`."""
    rows, columns = (side // M for side in x.shape)
    x, error = x[: rows * M, : columns * M], error[: rows * M, : columns * M]
    skipped = -(-(window // 2) // M)  # blocks at each border whose window would leave the band

    eigenvalues, s2 = _scale_mixture(x)
    s2 = s2[skipped : rows - skipped, skipped : columns - skipped]

    first = M * skipped + M // 2 - window // 2  # where the first window begins
    counts = (rows - 2 * skipped, columns - 2 * skipped)
    g, noise = _channel(x[first:, first:], error[first:, first:], window, counts)

    signal = (g**2 * s2 / (noise + NOISE_FLOOR))[..., None] * eigenvalues
    return np.log2(1 + signal).sum()


def _scale_mixture(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of C, `[M^2]`, and the maximum-likelihood s^2, `[h / M, w / M]`, of a band.

    C is the covariance over all blocks, overlapping ones too; s^2 = x^T C^-1 x / M^2 is for each
    block of the partition.
    """
    h, w = x.shape
    shifts = [(i, j) for i in range(M) for j in range(M)]
    every = np.stack([x[i : h - M + 1 + i, j : w - M + 1 + j].ravel() for i, j in shifts])
    every -= every.mean(axis=1, keepdims=True)
    eigenvalues, vectors = np.linalg.eigh(every @ every.T / every.shape[1])
    # Of a band without content all are zero, or below it by rounding.
    eigenvalues = np.maximum(eigenvalues, 1e-6 * eigenvalues[-1] + FLAT**2)

    blocks = x.reshape(h // M, M, w // M, M).transpose(1, 3, 0, 2).reshape(M * M, -1)
    s2 = ((vectors.T @ blocks) ** 2 / eigenvalues[:, None]).mean(axis=0)
    return eigenvalues, s2.reshape(h // M, w // M)


def _channel(
    x: np.ndarray, error: np.ndarray, window: int, counts: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Gain g >= 0 and noise variance of the regression of `x + error` on x, each of shape `counts`.

    By windows that begin every M coefficients. With `y = x + e`, `cov(x, y) / var(x)` is
    `1 + cov(x, e) / var(x)`, and what a regression on x leaves of y, it leaves of e.
    """
    products = (x, error, x * x, error * error, x * error)
    mean_x, mean_e, xx, ee, xe = (_window_means(z, window, counts) for z in products)
    var_x, var_e, cov = xx - mean_x**2, ee - mean_e**2, xe - mean_x * mean_e
    slope = cov / np.maximum(var_x, FLAT)
    var_y = var_x + 2 * cov + var_e
    blank = (var_x < FLAT) | (var_y < 1e-6 * (var_x + var_e))
    g = np.where(blank, 0, np.maximum(1 + slope, 0))
    return g, np.maximum(var_e - slope * cov, 0)


def _window_means(x: np.ndarray, window: int, counts: tuple[int, int]) -> np.ndarray:
    """`[h, w] -> counts`: means over windows of side `window`, one every M, rows first, then columns."""
    for count in counts:
        firsts = M * np.arange(count)
        x = sum(x[firsts + i] for i in range(window)).T / window
    return x
