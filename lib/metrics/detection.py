"""How well objects are found: average precision (Everingham et al. 2015, section 3.2). In NumPy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lib.ops.boxes import iou


class Found(NamedTuple):
    """What is said to be in an image: `boxes` `[k, 4]` (top, left, height, width), `classes`, `scores`."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


def suppressed(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Indices of what stays, best first: no box overlaps a better one by more than `overlap` IoU."""
    order, kept = np.argsort(-scores, kind="stable"), []
    shared = iou(boxes, boxes)
    while len(order):
        best = order[0]
        kept.append(best)
        order = order[1:][shared[best, order[1:]] <= overlap]
    return np.array(kept, int)


def average_precision(right: np.ndarray, scores: np.ndarray, objects: int) -> float:
    """Area under the precision-recall curve, precision being the best at that recall or a higher one.

    Args:
      right: whether each detection finds an object, bool `[k]`.
      scores: how sure it is, `[k]`.
      objects: how many there are to be found.
    """
    if not objects:
        raise ValueError("no objects to be found")
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0], hits / objects])
    return float((np.diff(recall) * best).sum())


def matched(found: Found, boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Which detections of one class in one image find one of its `boxes` `[m, 4]`: bool `[k]`, as they come.

    Each box is found once, by the surest detection whose best match it is; what finds it again is wrong.
    """
    right, taken = np.zeros(len(found.boxes), bool), set()
    if not len(boxes):
        return right
    shared = iou(found.boxes, boxes)
    for i in np.argsort(-found.scores, kind="stable"):
        best = int(shared[i].argmax())
        right[i] = shared[i, best] >= threshold and best not in taken
        if right[i]:
            taken.add(best)
    return right


def mean_average_precision(
    found: Sequence[Found],
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    classes: Sequence[int],
    threshold: float,
) -> float:
    """Mean over `classes` of `average_precision`, in percent.

    Args:
      found: an image each.
      boxes, labels: what there is, `[m, 4]` and `[m]` an image.
      threshold: the IoU from which on an object counts as found.
    """
    precisions = []
    for name in classes:
        right, scores, objects = [], [], 0
        for said, truth, of in zip(found, boxes, labels, strict=True):
            own = Found(*(field[said.classes == name] for field in said))
            right.append(matched(own, truth[of == name], threshold))
            scores.append(own.scores)
            objects += int((of == name).sum())
        precisions.append(average_precision(np.concatenate(right), np.concatenate(scores), objects))
    return 100 * float(np.mean(precisions))
