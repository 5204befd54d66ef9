"""Mean intersection over union by hand."""

import jax
import numpy as np

from lib.metrics import segmentation

confusion = jax.jit(segmentation.confusion, static_argnums=2)
mean_iou = jax.jit(segmentation.mean_iou)


def test_pixels_are_counted_by_class_and_name_and_unknown_ones_are_not():
    truth = np.array([[0, 0, 1], [1, 2, 3]])  # 3: none of three classes
    predicted = np.array([[0, 1, 1], [1, 0, 0]])
    counts = confusion(predicted, truth, 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    # Class 0: one of three; 1: two of three; 2: none of one.
    np.testing.assert_allclose(mean_iou(counts), (1 / 3 + 2 / 3 + 0) / 3, rtol=1e-6)


def test_classes_that_never_occur_do_not_count():
    np.testing.assert_allclose(mean_iou(np.diag(np.array([5, 3, 0]))), 1.0)


def test_naming_everything_ground_scores_its_share():
    """What noise scores: a third of four classes, if half of the pixels are ground."""
    truth = np.array([0] * 50 + [1] * 25 + [2] * 25)
    counts = confusion(np.zeros_like(truth), truth, 3)
    np.testing.assert_allclose(mean_iou(counts), 0.5 / 3, rtol=1e-6)
