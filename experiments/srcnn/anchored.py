"""A+ (Timofte, De Smet and Van Gool 2014): sparse coding's successor, which the paper is compared with.

About each atom d_j of A_l lie the patches that it resembles most. Of their features N_l and of what they lack
N_h, both divided by the features' length, comes a linear map,

    P_j = N_h^T N_l (N_l^T N_l + lambda I)^-1,

and a patch gets what P_j makes of its features, j being the atom that it resembles most. Resemblance is the
size of the correlation: a map that is linear does not mind the sign.
"""

from collections.abc import Sequence

import numpy as np

from experiments.srcnn.sparse_coding import CHUNK, Dictionaries, features_of, overlaid, samples_of
from lib.batches.super_resolution import Pair

RIDGE = 0.1
"""lambda."""
ATOMS = 32
"""Atoms whose neighbours are looked for at once."""


def learn(
    dictionaries: Dictionaries, pairs: Sequence[Pair], *, pool: int, neighbours: int, seed: int
) -> np.ndarray:
    """The maps of all atoms, float32 `[K, d, p^2]`, from `pool` patches of pairs of one scale."""
    features, lacking = samples_of(pairs, pool, np.random.default_rng(seed))
    features = features @ dictionaries.axes
    length = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    features, lacking = features / length, lacking / length
    count, (d, atoms) = min(neighbours, len(features)), dictionaries.low.shape
    maps = np.empty((atoms, d, lacking.shape[1]), np.float32)
    for start in range(0, atoms, ATOMS):
        alike = np.abs(dictionaries.low[:, start : start + ATOMS].T @ features.T)
        nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        for atom, chosen in enumerate(nearest, start=start):
            low, high = features[chosen], lacking[chosen]
            maps[atom] = np.linalg.solve(
                low.T @ low + RIDGE * np.eye(d, dtype=low.dtype), low.T @ high
            )
    return maps


def upscale(
    dictionaries: Dictionaries, maps: np.ndarray, bicubic: np.ndarray, scale: int
) -> np.ndarray:
    """The bicubic image `[H, W]`, in [0, 1], with what it lacks added, as `sparse_coding.upscale`.

    Raises:
      ValueError: the image is smaller than a patch.
    """
    features = features_of(bicubic, scale) @ dictionaries.axes
    lacking = np.empty((len(features), maps.shape[2]), np.float32)
    for start in range(0, len(features), CHUNK):
        rows = features[start : start + CHUNK]
        anchor = np.abs(rows @ dictionaries.low).argmax(axis=1)
        for atom in np.unique(anchor):
            here = np.flatnonzero(anchor == atom)
            lacking[start + here] = rows[here] @ maps[atom]
    return overlaid(bicubic, lacking, scale)
