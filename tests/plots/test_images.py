import numpy as np
import pytest

from lib.plots.images import tile


def test_tiles_row_by_row_with_white_between():
    black = np.zeros((3, 4))
    sheet = tile(black, columns=2, gap=1)
    expected = np.ones((5, 5))
    expected[:2, :2] = expected[:2, 3:] = expected[3:, :2] = 0
    np.testing.assert_array_equal(sheet, expected)


def test_refuses_images_that_are_not_square():
    with pytest.raises(ValueError, match="reshape"):
        tile(np.zeros((1, 5)), columns=1)
