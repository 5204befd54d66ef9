import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import color

from lib.ops.color import luma, rgb_to_ycbcr, ycbcr_to_rgb

RGB = np.random.default_rng(0).random((5, 7, 3))

KNOWN = [  # R, G, B in 0..1 and Y, Cb, Cr in 0..255
    ((0, 0, 0), (16, 128, 128)),
    ((1, 1, 1), (235, 128, 128)),
    ((1, 0, 0), (81.481, 90.203, 240)),
    ((0, 1, 0), (144.553, 53.797, 34.214)),
    ((0, 0, 1), (40.966, 240, 109.786)),
    ((0.5, 0.5, 0.5), (125.5, 128, 128)),
]


@pytest.mark.parametrize("rgb, ycbcr", KNOWN)
def test_known_colours(rgb, ycbcr):
    np.testing.assert_allclose(255 * rgb_to_ycbcr(np.array(rgb, float)), ycbcr, atol=1e-10)
    np.testing.assert_allclose(255 * luma(np.array(rgb, float)), ycbcr[0], atol=1e-10)


def test_scikit_image_says_the_same_of_0_to_255():
    np.testing.assert_allclose(255 * rgb_to_ycbcr(RGB), color.rgb2ycbcr(RGB), atol=1e-9)
    ycbcr = color.rgb2ycbcr(RGB)
    np.testing.assert_allclose(ycbcr_to_rgb(ycbcr / 255), color.ycbcr2rgb(ycbcr), atol=1e-9)


def test_the_inverse_is_one_and_is_not_clipped():
    wide = 3 * RGB - 1
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(wide)), wide, atol=1e-12)


def test_all_of_rgb_stays_within_the_studio_range():
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3), axis=-1)
    low, high = (255 * rgb_to_ycbcr(corners)).reshape(-1, 3).T.min(1), 255 * rgb_to_ycbcr(corners)
    np.testing.assert_allclose(low, [16, 16, 16], atol=1e-9)
    np.testing.assert_allclose(high.reshape(-1, 3).max(axis=0), [235, 240, 240], atol=1e-9)


@pytest.mark.parametrize("function", [rgb_to_ycbcr, ycbcr_to_rgb, luma])
def test_numpy_gives_numpy_and_jax_the_same_in_jax(function):
    ours = function(RGB.astype(np.float32))
    assert type(ours) is np.ndarray and ours.dtype == np.float32
    for found in (function(jnp.asarray(RGB)), jax.jit(function)(RGB.astype(np.float32))):
        assert isinstance(found, jax.Array) and found.shape == ours.shape
        np.testing.assert_allclose(found, ours, atol=1e-6)


def test_grey_has_no_colour_and_a_batch_is_its_images():
    grey = np.repeat(RGB[..., :1], 3, axis=-1)
    np.testing.assert_allclose(rgb_to_ycbcr(grey)[..., 1:], 128 / 255, atol=1e-12)
    batch = np.stack([RGB, grey])
    np.testing.assert_array_equal(rgb_to_ycbcr(batch)[0], rgb_to_ycbcr(RGB))
