import numpy as np
import pytest
import scipy.ndimage
import skimage.data

from lib.metrics.ifc import ifc
from lib.ops.steerable_pyramid import steerable_pyramid
from lib.run.devices import compile_clock

CAMERA = skimage.data.camera()


def photograph(height=96, width=96, top=60, left=180):
    return CAMERA[top : top + height, left : left + width]


def noisy(image, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(size=image.shape)
    return np.clip(image + sigma * noise + 0.5, 0, 255).astype(np.uint8)


def blurred(image, sigma):
    return np.round(scipy.ndimage.gaussian_filter(image.astype(float), sigma)).astype(np.uint8)


def by_loops(image, reference):
    """The algorithm of `ifcvec.m` in float64, block by block."""
    pyramid = steerable_pyramid(np.float64([reference, image]), 4)
    bits = 0
    for bands, window in zip(pyramid, (17, 9, 5, 3), strict=True):
        for x, y in zip(*bands, strict=True):
            bits += band_by_loops(x, y, window)
    return bits / reference.size


def band_by_loops(x, y, window):
    rows, columns = x.shape[0] // 3, x.shape[1] // 3
    x, y = x[: 3 * rows, : 3 * columns], y[: 3 * rows, : 3 * columns]
    every = [
        x[i : i + 3, j : j + 3].ravel() for i in range(3 * rows - 2) for j in range(3 * columns - 2)
    ]
    covariance = np.cov(np.array(every).T, bias=True)
    eigenvalues = np.linalg.eigvalsh(covariance)
    reach = window // 2
    skipped = int(np.ceil(reach / 3))
    bits = 0
    for i in range(skipped, rows - skipped):
        for j in range(skipped, columns - skipped):
            block = x[3 * i : 3 * i + 3, 3 * j : 3 * j + 3].ravel()
            s2 = block @ np.linalg.solve(covariance, block) / 9
            around = (
                slice(3 * i + 1 - reach, 3 * i + 2 + reach),
                slice(3 * j + 1 - reach, 3 * j + 2 + reach),
            )
            assert x[around].shape == (window, window)
            (var_x, cov), (_, var_y) = np.cov(x[around].ravel(), y[around].ravel(), bias=True)
            g = max(cov / var_x, 0)
            noise = max(var_y - g * cov, 1e-15)
            bits += np.log2(1 + g**2 * s2 * eigenvalues / (noise + 1e-10)).sum()
    return bits


@pytest.mark.parametrize("shape", [(65, 65), (77, 94)])
def test_equals_the_definition(shape):
    reference = photograph(*shape)
    for image in (noisy(reference, 5), blurred(reference, 1), noisy(blurred(reference, 0.7), 2)):
        np.testing.assert_allclose(ifc(image, reference), by_loops(image, reference), rtol=1e-4)


@pytest.mark.parametrize(
    "image, wanted",
    [
        (lambda x: noisy(x, 3), 5.688557),
        (lambda x: noisy(x, 25), 1.465875),
        (lambda x: blurred(x, 0.6), 6.410878),
        (lambda x: blurred(x, 1.5), 2.315612),
        (lambda x: x, 60.422935),
    ],
)
def test_equals_the_authors_pyramid_tools(image, wanted):
    """Recorded from a float64 program on the pyramid of pyrtools 1.1.1, the authors' C code."""
    reference = photograph(128, 150)
    np.testing.assert_allclose(ifc(image(reference), reference), wanted, rtol=1e-4)


def test_falls_with_noise_and_with_blur():
    reference = photograph()
    for spoiled, amounts in ((noisy, (0.5, 2, 8, 30, 100)), (blurred, (0.5, 0.8, 1.2, 2, 4))):
        scores = [float(ifc(spoiled(reference, a), reference)) for a in amounts]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 5 and scores[-1] < 1


def test_of_an_image_itself_is_finite_and_far_above_any_other():
    reference = photograph()
    best = ifc(reference, reference)
    other = reference.copy()
    other[::7, ::7] += 1
    assert np.isfinite(best) and best > 50
    assert best > 2 * ifc(other, reference)


def test_has_a_direction():
    sharp = photograph()
    soft = blurred(sharp, 1)
    assert abs(ifc(soft, sharp) - ifc(sharp, soft)) > 0.3


def test_what_is_no_information_about_the_reference_changes_nothing():
    reference, image = photograph() / 2, noisy(photograph(), 10) / 2
    score = ifc(image, reference)
    np.testing.assert_allclose(ifc(image + 50, reference), score, rtol=1e-4)
    np.testing.assert_allclose(ifc(image, reference + 50), score, rtol=1e-4)
    np.testing.assert_allclose(ifc(2 * image, 2 * reference), score, rtol=1e-4)
    np.testing.assert_allclose(ifc(image.T, reference.T), score, rtol=1e-4)
    # g^2 / sigma_v^2 is blind to a change of the image's contrast.
    np.testing.assert_allclose(ifc(image / 2, reference), score, rtol=1e-3)


def test_is_zero_where_nothing_is_kept_or_there_is_nothing_to_keep():
    photo, flat = photograph(), np.full((96, 96), 200, np.uint8)
    np.testing.assert_allclose(ifc(255 - photo, photo), 0, atol=1e-6)  # g < 0 counts as 0
    np.testing.assert_allclose(ifc(flat, photo), 0, atol=1e-6)
    np.testing.assert_allclose(ifc(photo, flat), 0, atol=1e-6)
    np.testing.assert_allclose(ifc(flat, flat), 0, atol=1e-6)


def test_a_flat_part_of_both_images_adds_nothing():
    """Of a block whose window is flat the authors' code sets g to 0: no noise is no signal here."""
    reference = np.pad(photograph(), ((0, 96), (0, 0)), constant_values=250)
    image = np.pad(noisy(photograph(), 5), ((0, 96), (0, 0)), constant_values=250)
    half = ifc(image, reference)
    assert 0.3 < half / ifc(image[:96], reference[:96]) < 1


def test_whole_numbers_are_taken_as_they_are():
    reference = photograph()
    image = noisy(reference, 4)
    np.testing.assert_allclose(ifc(image, reference), ifc(image / 1.0, reference / 1.0), rtol=1e-12)


def test_a_new_shape_is_scored_without_compiling_anything():
    spent = compile_clock()
    for side in (70, 71, 72):
        assert ifc(noisy(photograph(side, 97), 4), photograph(side, 97)) > 1
    assert spent() == 0


@pytest.mark.parametrize("shape", [(64, 90), (90, 64)])
def test_an_image_too_small_for_the_coarsest_level_is_refused(shape):
    with pytest.raises(ValueError, match="at least 65"):
        ifc(*np.ones((2, *shape)))


def test_other_shapes_are_refused():
    with pytest.raises(AssertionError):
        ifc(np.ones((96, 96)), np.ones((96, 97)))
    with pytest.raises(AssertionError):
        ifc(*np.ones((2, 96, 96, 1)))
