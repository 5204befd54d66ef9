import numpy as np
import pytest

from lib.metrics.detection import (
    Found,
    average_precision,
    matched,
    mean_average_precision,
    suppressed,
)

RNG = np.random.default_rng(0)


def by_definition(right, scores, objects):
    """At each recall that is reached, the best precision at that recall or above."""
    order = np.argsort(-scores)
    points = []
    for k in range(1, len(order) + 1):
        hits = right[order[:k]].sum()
        points.append((hits / objects, hits / k))
    reached = sorted({recall for recall, _ in points} - {0})
    area, before = 0.0, 0.0
    for recall in reached:
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return area


@pytest.mark.parametrize(
    "right, objects, wanted",
    [
        ([1, 0, 1], 2, 0.5 + 0.5 * 2 / 3),
        ([1, 1], 2, 1),
        ([1], 2, 0.5),  # what is not found at all costs its share
        ([0, 0, 1], 1, 1 / 3),
        ([0, 0], 3, 0),
        ([], 3, 0),
    ],
)
def test_average_precision_by_hand(right, objects, wanted):
    scores = np.linspace(1, 0.5, len(right))
    assert average_precision(np.array(right, bool), scores, objects) == pytest.approx(wanted)


def test_average_precision_is_the_area_under_the_best_precision():
    for objects in (5, 9, 40):
        right, scores = RNG.uniform(size=30) < 0.4, RNG.uniform(size=30)
        right[np.flatnonzero(right)[objects:]] = False
        found = average_precision(right, scores, objects)
        assert found == pytest.approx(by_definition(right, scores, objects))


def test_without_objects_there_is_no_precision():
    with pytest.raises(ValueError, match="no objects"):
        average_precision(np.zeros(2, bool), np.ones(2), 0)


def test_of_boxes_that_overlap_the_surest_stays():
    boxes = np.array([[0, 0, 4, 4], [0, 1, 4, 4], [0, 3, 4, 4], [9, 9, 2, 2]], np.float32)
    scores = np.array([0.5, 0.9, 0.4, 0.1])
    np.testing.assert_array_equal(suppressed(boxes, scores, 0.3), [1, 3])  # 0 and 2 overlap 1
    np.testing.assert_array_equal(suppressed(boxes, scores, 0.5), [1, 2, 3])
    # What goes suppresses nothing: 2 overlaps 1, which 0 has suppressed.
    chain = suppressed(boxes[:3], np.array([0.9, 0.5, 0.4]), 0.3)
    np.testing.assert_array_equal(chain, [0, 2])


def test_an_object_is_found_once():
    truth = np.array([[0, 0, 4, 4], [0, 8, 4, 4]], np.float32)
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4], [0, 9, 4, 4], [9, 0, 4, 4]], np.float32)
    found = Found(boxes, np.ones(4, int), np.array([0.5, 0.9, 0.8, 0.99]))
    np.testing.assert_array_equal(matched(found, truth, 0.5), [False, True, True, False])
    np.testing.assert_array_equal(matched(found, truth, 0.7), [False, True, False, False])
    assert not matched(found, truth[:0], 0.5).any()


def test_classes_count_alike_and_what_is_elsewhere_or_of_another_class_is_wrong():
    box = np.array([[0, 0, 4, 4]], np.float32)
    images = [box, box, box]
    labels = [np.array([1]), np.array([1]), np.array([2])]

    def of(*classes):
        found = [Found(box, np.array([c]), np.ones(1)) for c in classes]
        return mean_average_precision(found, images, labels, (1, 2), 0.5)

    assert of(1, 1, 2) == 100
    assert of(2, 2, 1) == 0
    assert of(1, 1, 1) == pytest.approx(50)  # class 2 never; class 1's surest two of three
