"""Super-resolution by sparse coding, the classical method: Zeyde, Elad and Protter (2010).

A bicubic patch k has gradient features f_k, and lacks r_k = x_k - y_k of the truth. Two dictionaries
share a sparse code q_k: A_l gives the features, A_h what is lacking,

    q_k = argmin ||f_k - A_l q||^2  with at most 3 atoms,    A_h = argmin sum_k ||r_k - A_h q_k||^2,

and the result is the bicubic image plus the A_h q_k of its patches, averaged where they overlap. One
deviation: A_l is learned by MOD (Engan et al. 1999), which takes all atoms at once, not by K-SVD.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np
import scipy.sparse

from lib.batches.super_resolution import Pair
from lib.ops.patches import grid_corners

PATCH = 3
"""Side of a patch in low-resolution pixels; neighbouring patches are one such pixel apart."""
NONZEROS = 3
"""Atoms in a code."""
ENERGY = 0.999
"""What PCA keeps of the features' energy."""
ITERATIONS = 20
"""Of dictionary learning."""
CHUNK = 2048
"""Patches encoded at once: what a cache holds."""


class Dictionaries(NamedTuple):
    """K atoms, for patches of `p` x `p` pixels whose features PCA brings from `4 p^2` to `d`.

    Attributes:
      axes: float32 `[4 p^2, d]`, principal axes of the features.
      low: float32 `[d, K]`, A_l, its columns of norm one.
      high: float32 `[p^2, K]`, A_h.
    """

    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray


def learn(pairs: Sequence[Pair], *, atoms: int, samples: int, seed: int) -> Dictionaries:
    """Dictionaries of pairs of one scale and one channel, from `samples` of their patches.

    Raises:
      ValueError: there are fewer patches than atoms.
    """
    rng = np.random.default_rng(seed)
    features, lacking = samples_of(pairs, samples, rng)
    if len(features) < atoms:
        raise ValueError(f"{len(features)} patches are too few for {atoms} atoms")
    energy, axes = np.linalg.eigh(features.T @ features)
    axes = axes[:, np.cumsum(energy) > (1 - ENERGY) * energy.sum()]
    features = features @ axes
    low = _normalised(features[rng.choice(len(features), atoms, replace=False)].T)
    for _ in range(ITERATIONS):
        chosen, codes = encode(low, features)
        low = _normalised(fit(features, chosen, codes, atoms))
        idle = np.flatnonzero(np.bincount(chosen.ravel(), minlength=atoms) < NONZEROS)
        low[:, idle] = _normalised(features[rng.choice(len(features), len(idle))].T)
    return Dictionaries(axes, low, fit(lacking, *encode(low, features), atoms))


def upscale(dictionaries: Dictionaries, bicubic: np.ndarray, scale: int) -> np.ndarray:
    """The bicubic image `[H, W]`, in [0, 1], with what it lacks added: float32, of the same shape.

    Pixels at the right and the bottom that are in no patch, as H or W is no multiple of `scale`, stay.

    Raises:
      ValueError: the image is smaller than a patch.
    """
    axes, low, high = dictionaries
    chex.assert_shape(high, ((PATCH * scale) ** 2, low.shape[1]))
    chosen, codes = encode(low, features_of(bicubic, scale) @ axes)
    lacking = sum(codes[:, [k]] * high.T[chosen[:, k]] for k in range(NONZEROS))
    return overlaid(bicubic, lacking, scale)


def samples_of(
    pairs: Sequence[Pair], samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features `[n, 4 p^2]`, and what is lacking `[n, p^2]`, of at most `samples` patches of `pairs`."""
    chex.assert_shape([p.bicubic for p in pairs], (None, None, 1))
    drawn = [(p, at) for p, at in zip(pairs, _draw(pairs, samples, rng), strict=True) if len(at)]
    scale = pairs[0].scale
    size = PATCH * scale
    features, lacking = np.zeros((0, 4 * size**2), np.float32), np.zeros((0, size**2), np.float32)
    if drawn:
        cut = [_cut(gradients(p.bicubic[:, :, 0], scale), at, size) for p, at in drawn]
        features = np.concatenate(cut)
        cut = [_cut(p.truth / np.float32(255) - p.bicubic, at, size) for p, at in drawn]
        lacking = np.concatenate(cut)
    return features, lacking


def features_of(bicubic: np.ndarray, scale: int) -> np.ndarray:
    """Features `[n, 4 p^2]` of all patches of an image `[H, W]`, row by row.

    Raises:
      ValueError: the image is smaller than a patch.
    """
    chex.assert_rank(bicubic, 2)
    size = PATCH * scale
    return _cut(gradients(bicubic, scale), grid_corners(bicubic.shape, size, scale), size)


def overlaid(bicubic: np.ndarray, lacking: np.ndarray, scale: int) -> np.ndarray:
    """`bicubic` `[H, W]` and what its patches lack `[n, p^2]`, averaged where they overlap."""
    size = PATCH * scale
    rows, columns = ((side - size) // scale + 1 for side in bicubic.shape)
    lacking = lacking.reshape(rows, columns, size, size)
    total, count = np.zeros((2, *bicubic.shape), np.float32)
    for y, x in np.ndindex(size, size):
        pixels = (slice(y, y + rows * scale, scale), slice(x, x + columns * scale, scale))
        total[pixels] += lacking[:, :, y, x]
        count[pixels] += 1
    return bicubic + total / np.maximum(count, 1)


def gradients(image: np.ndarray, scale: int) -> np.ndarray:
    """First and second differences along both axes over one low-resolution pixel: `[H, W, 4]`.

    The filters [1, -1] and [1, -2, 1] / 2 with `scale - 1` zeros in each gap; the border is repeated.
    """

    def shifted(axis: int, by: int) -> np.ndarray:
        last = image.shape[axis] - 1
        return image.take(np.clip(np.arange(last + 1) + by, 0, last), axis)

    first = [shifted(a, scale - scale // 2) - shifted(a, -(scale // 2)) for a in range(2)]
    second = [(shifted(a, scale) - 2 * image + shifted(a, -scale)) / 2 for a in range(2)]
    return np.stack(first + second, axis=-1)


def encode(atoms: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthogonal matching pursuit: each of `vectors` `[n, d]` by NONZEROS of the `atoms` `[d, K]`.

    The next atom is the one that correlates most with the residual; all coefficients so far are then
    solved for again.

    Returns:
      chosen: int `[n, NONZEROS]`, different atoms; codes: their coefficients, of the same shape.
    """
    chex.assert_shape(vectors, (None, len(atoms)))
    gram = atoms.T @ atoms
    starts = range(0, len(vectors), CHUNK)
    chunks = [_encode(gram, vectors[i : i + CHUNK] @ atoms) for i in starts]
    return tuple(np.concatenate(parts) for parts in zip(*chunks, strict=True))


def _encode(gram: np.ndarray, correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen, codes = np.empty((2, len(correlations), 0), int)
    for k in range(NONZEROS):
        explained = sum(codes[:, [j]] * gram[chosen[:, j]] for j in range(k))
        score = np.abs(correlations - explained)
        np.put_along_axis(score, chosen, -1, axis=1)
        chosen = np.concatenate([chosen, score.argmax(axis=1, keepdims=True)], axis=1)
        normal = gram[chosen[:, :, None], chosen[:, None, :]]
        normal += 1e-6 * np.eye(k + 1, dtype=gram.dtype)  # atoms may be alike, or zero
        right = np.take_along_axis(correlations, chosen, axis=1)
        codes = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    return chosen, codes


def fit(targets: np.ndarray, chosen: np.ndarray, codes: np.ndarray, atoms: int) -> np.ndarray:
    """The best dictionary for `targets` X `[n, p]`: X^T Q (Q^T Q)^-1, `[p, atoms]`, with codes Q."""
    starts = np.arange(len(codes) + 1) * NONZEROS
    q = scipy.sparse.csr_array((codes.ravel(), chosen.ravel(), starts), (len(codes), atoms))
    normal = (q.T @ q).toarray().astype(np.float64)
    normal += 1e-6 * normal.trace() / atoms * np.eye(atoms)  # atoms that are in no code become zero
    return np.linalg.solve(normal, q.T @ targets).T.astype(np.float32)


def _normalised(atoms: np.ndarray) -> np.ndarray:
    return atoms / np.maximum(np.linalg.norm(atoms, axis=0, keepdims=True), 1e-12)


def _draw(pairs: Sequence[Pair], samples: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Corners `[n_i, 2]` of patches in each of `pairs`, together at most `samples`."""
    grids = [grid_corners(p.truth.shape[:2], PATCH * p.scale, p.scale) for p in pairs]
    starts = np.cumsum([0, *map(len, grids)])
    drawn = np.sort(rng.permutation(starts[-1])[:samples])
    shares = np.split(drawn, np.searchsorted(drawn, starts[1:-1]))
    return [grid[share - start] for grid, share, start in zip(grids, shares, starts, strict=False)]


def _cut(image: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """The patches of `[H, W, C]` at `corners` `[n, 2]`, flattened: `[n, C size^2]`."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    return windows[corners[:, 0], corners[:, 1]].reshape(len(corners), -1)
