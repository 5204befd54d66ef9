"""The numbers behind the papers' statements, from curves, values and scores."""

import numpy as np
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors


def travel(curve: np.ndarray) -> float:
    """How far `curve` `[t]` goes up and down, over its range: 1 if it only rises, large if it is noise."""
    span = np.ptp(curve)
    return float(np.abs(np.diff(curve)).sum() / span) if span > 0 else np.inf


def around_rewards(
    value: np.ndarray, reward: np.ndarray, terminal: np.ndarray, before: int = 4, after: int = 2
) -> np.ndarray:
    """`value` `[t]` around each reward that stands alone: `[rewards, before + 1 + after]`.

    Column `before` is the state whose action brings it. A reward stands alone if no other, and no end of
    a game, is as near as the columns reach.
    """
    busy = (reward != 0) | terminal
    found = []
    for t in np.flatnonzero(reward > 0):
        low, high = t - before, t + after + 1
        if low >= 0 and high <= len(value) and busy[low:high].sum() == 1:
            found.append(value[low:high])
    return np.array(found).reshape(-1, before + 1 + after)


def embed(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE of `features` `[n, d]` in the plane, `[n, 2]` (van der Maaten & Hinton 2008)."""
    perplexity = min(30, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features)


def neighbours_agree(plane: np.ndarray, value: np.ndarray, k: int = 10) -> float:
    """The share of the variance of `value` `[n]` that the mean over the k nearest in `plane` explains."""
    near = NearestNeighbors(n_neighbors=min(k, len(plane) - 1) + 1).fit(plane)
    others = near.kneighbors(plane, return_distance=False)[:, 1:]
    left = np.mean((value - value[others].mean(axis=1)) ** 2)
    return float(1 - left / value.var()) if value.var() > 0 else np.nan
