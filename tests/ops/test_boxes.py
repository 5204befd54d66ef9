import jax
import numpy as np
import pytest

from lib.ops.boxes import decode, encode, iou

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "a, b, shared",
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (0, 1, 2, 2), 1 / 3),
        ((0, 0, 2, 2), (1, 1, 2, 2), 1 / 7),
        ((0, 0, 4, 2), (1, 0, 2, 2), 1 / 2),
        ((0, 0, 2, 2), (2, 0, 2, 2), 0),  # side by side
        ((0, 0, 2, 2), (5, 7, 2, 2), 0),
        ((0, 0, 2, 2), (0, 0, 0, 0), 0),  # nothing
    ],
)
def test_iou_by_hand(a, b, shared):
    for one, other in ((a, b), (b, a)):
        pair = np.array([one], np.float32), np.array([other], np.float32)
        found = iou(*pair)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, [[shared]], rtol=1e-6)


def test_iou_is_that_of_pixels():
    boxes = np.concatenate([RNG.integers(0, 12, (9, 2)), RNG.integers(1, 9, (9, 2))], axis=1)
    y, x = np.mgrid[:24, :24]
    inside = [(y >= t) & (y < t + h) & (x >= a) & (x < a + w) for t, a, h, w in boxes]
    wanted = [[(p & q).sum() / (p | q).sum() for q in inside] for p in inside]
    np.testing.assert_allclose(jax.jit(iou)(*[boxes.astype(np.float32)] * 2), wanted, rtol=1e-5)


def test_what_is_said_of_a_region_gives_the_box_back():
    boxes, regions = (RNG.uniform(1, 20, (2, 7, 4)).astype(np.float32) for _ in range(2))
    said = jax.jit(encode)(boxes, regions)
    np.testing.assert_allclose(jax.jit(decode)(said, regions), boxes, rtol=1e-4, atol=1e-4)
    # Twice as high, and down by half of the region's height.
    one = encode(np.array([[3.0, 0, 8, 2]], np.float32), np.array([[3.0, 0, 4, 2]], np.float32))
    np.testing.assert_allclose(one, [[0.5, 0, np.log(2), 0]], rtol=1e-6, atol=1e-6)
