"""What is asked of scores and of representations; pure functions of arrays."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr


def first_of(scores: np.ndarray) -> float:
    """Share of rows of `scores [n, choices]` whose first has the highest; equal ones share it."""
    best = scores == scores.max(axis=1, keepdims=True)
    return float((best[:, 0] / best.sum(axis=1)).mean())


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's; 0 where one does not vary."""
    if len(set(x.tolist())) < 2 or len(set(y.tolist())) < 2:
        return 0.0
    return float(spearmanr(x, y).statistic)


def agreement(ours: np.ndarray, theirs: np.ndarray, groups: Sequence[Sequence[int]]) -> float:
    """Of two of a group that `theirs` tells apart, how often `ours` orders them alike; one half if ever.

    The mean over all such couples.
    """
    alike = []
    for group in groups:
        a, b = np.triu_indices(len(group), 1)
        places = np.asarray(group)
        of_theirs = np.sign(theirs[places[a]] - theirs[places[b]])
        of_ours = np.sign(ours[places[a]] - ours[places[b]])
        told = of_theirs != 0
        alike += ((1 + of_theirs * of_ours) / 2)[told].tolist()
    return float(np.mean(alike)) if alike else 0.5


def nearest_alike(points: np.ndarray, labels: Sequence[str]) -> float:
    """Share of rows whose nearest other row has the same label, of those whose label another one has."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    labels = np.asarray(labels)
    counted = [i for i, label in enumerate(labels) if (labels == label).sum() > 1]
    if not counted:
        return 0.0
    return float((labels == labels[apart.argmin(axis=1)])[counted].mean())


def plane(points: np.ndarray, neighbours: float) -> np.ndarray:
    """Points of a plane, `[n, 2]`: Barnes-Hut's t-SNE by scikit-learn, always from the same start."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    near = min(neighbours, (len(points) - 1) / 3)
    with threadpool_limits(1):  # its threads wait for one another busily: slow where others compute
        return TSNE(2, perplexity=near, init="pca", random_state=0).fit_transform(points)
