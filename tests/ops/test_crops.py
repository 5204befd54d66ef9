import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.ops.crops import centre_crop, modcrop, shave, to_uint8


@pytest.mark.parametrize(
    "shape, multiple, wanted",
    [
        ((10, 11), 3, (9, 9)),
        ((12, 9), 3, (12, 9)),
        ((7, 5, 3), 4, (4, 4, 3)),
        ((8, 9, 1), 1, (8, 9, 1)),
        ((255, 256), 16, (240, 256)),
        ((2, 5), 3, (0, 3)),
    ],
)
def test_modcrop_cuts_at_the_bottom_and_the_right(shape, multiple, wanted):
    image = np.arange(np.prod(shape)).reshape(shape)
    found = modcrop(image, multiple)
    np.testing.assert_array_equal(found, image[: wanted[0], : wanted[1]], strict=True)
    assert found.shape == wanted


@pytest.mark.parametrize("border, wanted", [(0, (8, 9)), (1, (6, 7)), (3, (2, 3)), (4, (0, 1))])
def test_shave_cuts_every_side(border, wanted):
    image = np.arange(72).reshape(8, 9)
    found = shave(image, border)
    assert found.shape == wanted
    if found.size:
        assert found[0, 0] == image[border, border]
        assert found[-1, -1] == image[7 - border, 8 - border]
    assert shave(np.zeros((8, 9, 3)), border).shape == (*wanted, 3)


@pytest.mark.parametrize("side, size, first", [(33, 21, 6), (33, 17, 8), (8, 3, 2), (5, 5, 0)])
def test_centre_crop_leaves_the_middle(side, size, first):
    images = np.arange(2 * side * side * 3).reshape(2, side, side, 3)
    found = centre_crop(images, size)
    rest = slice(first, first + size)
    np.testing.assert_array_equal(found, images[:, rest, rest])
    assert found.shape == (2, size, size, 3)


def test_to_uint8_clips_and_rounds_half_up():
    values = np.array([-1, 0, 0.5, 1.49, 1.5, 2.5, 254.4, 254.5, 255, 300]) / 255
    np.testing.assert_array_equal(
        to_uint8(values), np.array([0, 0, 1, 1, 2, 3, 254, 255, 255, 255], np.uint8), strict=True
    )


def test_every_level_comes_back_from_the_unit_interval():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(levels / np.float32(255)), levels, strict=True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: modcrop(x, 3),
        lambda x: shave(x, 2),
        lambda x: centre_crop(x[None], 4),
        to_uint8,
    ],
)
def test_numpy_gives_numpy_and_jax_the_same_in_jax(function):
    image = np.random.default_rng(0).random((8, 10, 3), np.float32) * 1.2 - 0.1
    ours = function(image)
    assert type(ours) is np.ndarray
    for found in (function(jnp.asarray(image)), jax.jit(function)(image)):
        assert isinstance(found, jax.Array)
        np.testing.assert_array_equal(np.asarray(found), ours, strict=True)
