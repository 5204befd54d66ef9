"""The steerable pyramid (Simoncelli & Freeman 1995): an image in bands of scale and orientation.

Of the order-5 pyramid, six orientations a level, only the horizontal and the vertical one are here,
the two that image-quality metrics take. Its filters are not formulas but the outcome of a numerical
design (Karasaridis & Simoncelli 1996). The numbers are those of `sp5Filters` in matlabPyrTools,
one of each group that symmetry makes equal.
"""

import chex
import numpy as np


def _from_octant(rows: list[list[float]]) -> np.ndarray:
    """The square filter that no reflection and no transposition changes, from one eighth.

    Row i, counted from the filter's edge, holds columns i to the centre.
    """
    side = len(rows)
    corner = np.zeros((side, side))
    for i, row in enumerate(rows):
        corner[i, i:] = corner[i:, i] = row
    top = np.concatenate([corner, corner[:, -2::-1]], axis=1)
    return np.concatenate([top, top[-2::-1]])


LOW_0 = _from_octant(
    [
        [0.00341614, -0.01551246, -0.03848215],
        [0.05586982, 0.15925570],
        [0.40304148],
    ]
)
"""What the first level sees of the image: all but the corners of the frequency square. `[5, 5]`."""
LOW = 2 * _from_octant(
    [
        [0.00085404, -0.00244917, -0.00387812, -0.00944432, -0.00962054],
        [-0.00523281, -0.00661117, 0.00410600, 0.01002988],
        [0.01396746, 0.03277038, 0.03981393],
        [0.06426333, 0.08169618],
        [0.10096540],
    ]
)
"""From a level to the next, before every other row and column is dropped. `[9, 9]`, its sum is 2."""
_QUARTER = np.array(
    [
        [0.00277643, 0.00496194, 0.01026699, 0.01455399],
        [-0.00986904, -0.00893064, 0.01189859, 0.02755155],
        [-0.01021852, -0.03075356, -0.08226445, -0.11732297],
    ]
)
_HALF = np.concatenate([_QUARTER, _QUARTER[:, -2::-1]], axis=1)
_DOWN = np.concatenate([_HALF, np.zeros((1, 7)), -_HALF[::-1]])
BANDS = np.stack([_DOWN, _DOWN.T])
"""Fifth derivatives, down and to the right: `[2, 7, 7]`, odd about the centre."""


def steerable_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """The vertical and the horizontal derivative bands of each level, finest first.

    In NumPy: XLA would compile for seconds for every new shape, and images come in all of them. Borders are
    mirrored about the edge pixels, as `buildSpyr(..., 'sp5Filters', 'reflect1')` does.

    Args:
      image: `[n, H, W]`.

    Returns:
      `levels` arrays float64 `[n, 2, ceil(H / 2^l), ceil(W / 2^l)]`, l = 0, 1, ...
    """
    chex.assert_rank(image, 3)
    low = _correlate(np.asarray(image, np.float64), LOW_0)
    bands = []
    for level in range(levels):
        if level > 0:
            low = _correlate(low, LOW, stride=2)
        bands.append(np.stack([_correlate(low, band) for band in BANDS], axis=1))
    return bands


def _correlate(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """`[n, H, W]` by `[f, f]` -> `[n, ceil(H / stride), ceil(W / stride)]`."""
    reach = kernel.shape[0] // 2
    height, width = x.shape[1:]
    x = np.pad(x, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    total = np.zeros((len(x), -(-height // stride), -(-width // stride)))
    for i, j in zip(*np.nonzero(kernel), strict=True):
        total += kernel[i, j] * x[:, i : i + height : stride, j : j + width : stride]
    return total
