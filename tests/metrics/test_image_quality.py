import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import skimage.metrics

from lib.metrics.image_quality import LOW_9_7, ms_ssim, ms_ssim_metrix, psnr, ssim

CAMERA = skimage.data.camera()
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
ALL = [psnr, ssim, ms_ssim, ms_ssim_metrix]


def photograph(height=178, width=201, top=60, left=180):
    return CAMERA[top : top + height, left : left + width]


def noisy(image, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(size=image.shape)
    return np.clip(image + sigma * noise + 0.5, 0, 255).astype(np.uint8)


def blurred(image, sigma):
    return np.round(scipy.ndimage.gaussian_filter(image.astype(float), sigma)).astype(np.uint8)


def maps(x, y):
    """Luminance, contrast and structure by one 2-D window, in float64."""
    g = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(g, g) / g.sum() ** 2

    def mean(z):
        return np.einsum(
            "hwij,ij->hw", np.lib.stride_tricks.sliding_window_view(z, (11, 11)), window
        )

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    vx, vy = np.maximum(mean(x * x) - mx**2, 0), np.maximum(mean(y * y) - my**2, 0)
    luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    contrast = (2 * np.sqrt(vx * vy) + c2) / (vx + vy + c2)
    structure = (mean(x * y) - mx * my + c2 / 2) / (np.sqrt(vx * vy) + c2 / 2)
    return luminance, contrast, structure


def wang(x, y):
    """`msssim.m`: filter, mirrored at the lower right, then take every other pixel."""
    x, y = np.float64(x), np.float64(y)
    score = 1
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast, structure = maps(x, y)
        last = scale == len(WEIGHTS) - 1
        score *= max((luminance**last * contrast * structure).mean(), 0) ** weight
        x, y = (np.pad(z, ((0, 1), (0, 1)), mode="symmetric") for z in (x, y))
        x, y = (((z[:-1, :-1] + z[1:, :-1] + z[:-1, 1:] + z[1:, 1:]) / 4)[::2, ::2] for z in (x, y))
    return score


def metrix(x, y):
    """`mssim_index.m`: each factor has a mean of its own."""
    x, y = np.float64(x), np.float64(y)
    score = 1
    low = np.outer(LOW_9_7, LOW_9_7) / np.sum(LOW_9_7) ** 2
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast, structure = (m.mean() for m in maps(x, y))
        last = scale == len(WEIGHTS) - 1
        score *= max(luminance**last * contrast * structure, 0) ** weight
        x, y = (scipy.ndimage.correlate(z, low, mode="reflect")[::2, ::2] for z in (x, y))
    return score


PAIRS = {
    "noise of 2": (noisy(photograph(), 2), photograph()),
    "noise of 30": (noisy(photograph(), 30), photograph()),
    "blur": (blurred(photograph(), 1.5), photograph()),
    "brighter": (np.minimum(photograph(), 200) + np.uint8(40), photograph()),
    "two noises": tuple(np.random.default_rng(1).integers(0, 256, (2, 178, 201), np.uint8)),
    # Almost white: the digits of a variance are those that a mean square leaves over.
    "white": (noisy(np.full((178, 201), 252, np.uint8), 1), np.full((178, 201), 252, np.uint8)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_psnr_and_ssim_are_scikit_image_s(name):
    image, reference = PAIRS[name]
    wanted = skimage.metrics.peak_signal_noise_ratio(reference, image, data_range=255)
    np.testing.assert_allclose(psnr(image, reference), wanted, rtol=1e-6)
    wanted = skimage.metrics.structural_similarity(
        image,
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    np.testing.assert_allclose(ssim(image, reference), wanted, atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_ms_ssim_equals_the_definition(name):
    image, reference = PAIRS[name]
    np.testing.assert_allclose(ms_ssim(image, reference), wang(image, reference), atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_ms_ssim_metrix_equals_the_definition(name):
    image, reference = PAIRS[name]
    found, wanted = ms_ssim_metrix(image, reference), metrix(image, reference)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_two_ms_ssim_are_not_the_same_number():
    found = ms_ssim(*PAIRS["blur"]), ms_ssim_metrix(*PAIRS["blur"])
    assert 0.002 < abs(found[0] - found[1]) < 0.05


@pytest.mark.parametrize("error", [1, -3, 20])
def test_psnr_of_a_constant_error(error):
    reference = np.random.default_rng(2).integers(30, 200, (20, 30))
    np.testing.assert_allclose(
        psnr(reference + error, reference), 20 * math.log10(255 / abs(error)), rtol=1e-6
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "image", [photograph(), *np.uint8([[[0]], [[255]]]).repeat(178, 1).repeat(201, 2)]
)
def test_equals_have_the_best_score(image):
    assert psnr(image, image) == math.inf
    for metric in (ssim, ms_ssim, ms_ssim_metrix):
        np.testing.assert_allclose(metric(image, image), 1, atol=1e-5)


def test_ssim_of_two_constants_is_their_luminance():
    c1 = (0.01 * 255) ** 2
    found = ssim(np.full((11, 14), 90), np.full((11, 14), 40))
    np.testing.assert_allclose(found, (2 * 90 * 40 + c1) / (90**2 + 40**2 + c1), rtol=1e-5)


@pytest.mark.parametrize("metric", ALL)
def test_symmetric_and_blind_to_mirrors_and_better_for_better_images(metric):
    reference = photograph(176, 176)  # even until the last scale: of odd sides, 2 x 2 blocks shift
    image = noisy(reference, 12)
    score = float(metric(image, reference))
    np.testing.assert_allclose(metric(reference, image), score, rtol=1e-5)
    np.testing.assert_allclose(metric(image.T, reference.T), score, rtol=1e-5)
    if metric is not ms_ssim_metrix:  # which keeps the first, third, ... pixels
        np.testing.assert_allclose(metric(image[::-1], reference[::-1]), score, rtol=1e-5)
    assert score > metric(noisy(reference, 14), reference)
    assert metric(blurred(reference, 0.8), reference) > metric(blurred(reference, 1), reference)


def test_structure_turned_round_counts_against_and_ms_ssim_stays_a_number():
    reference = photograph()
    assert ssim(255 - reference, reference) < 0
    for metric in (ms_ssim, ms_ssim_metrix):
        assert metric(255 - reference, reference) == 0


@pytest.mark.parametrize("metric", ALL)
def test_only_the_ratio_to_the_peak_matters(metric):
    image, reference = PAIRS["noise of 30"]
    found = metric(image / 255, reference / 255, peak=1.0)
    np.testing.assert_allclose(found, metric(image, reference), rtol=1e-5)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_whole_numbers_are_taken_as_they_are_also_inside_a_compiled_function(metric):
    image, reference = PAIRS["noise of 2"]
    found = metric(image, reference)
    assert found.shape == () and found.dtype == jnp.float32
    doubled = jax.jit(lambda x, y: 2 * metric(x, y))(image / 1.0, reference / 1.0)
    np.testing.assert_allclose(doubled, 2 * np.asarray(found), rtol=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_jit_changes_nothing(metric):
    image, reference = (x[:40, :40] for x in PAIRS["noise of 2"])
    with jax.disable_jit():
        plain = metric(image, reference)
    np.testing.assert_allclose(metric(image, reference), plain, rtol=1e-6)


@pytest.mark.parametrize("metric, side", [(ssim, 11), (ms_ssim, 176), (ms_ssim_metrix, 176)])
def test_an_image_smaller_than_the_window_is_refused(metric, side):
    assert np.isfinite(metric(*np.ones((2, side, side), np.uint8)))
    for shape in [(side - 1, side + 5), (side + 5, side - 1)]:
        with pytest.raises(ValueError, match=f"at least {side}"):
            metric(*np.ones((2, *shape)))


@pytest.mark.parametrize("metric", ALL)
def test_images_of_two_shapes_are_refused(metric):
    with pytest.raises(AssertionError):
        metric(np.ones((180, 180)), np.ones((180, 181)))


@pytest.mark.parametrize("metric", [ssim, ms_ssim, ms_ssim_metrix])
def test_colours_are_refused(metric):
    with pytest.raises(AssertionError):
        metric(*np.ones((2, 180, 180, 3)))


def test_ssim_has_a_gradient_also_where_the_images_are_flat():
    flat = np.full((16, 16), 100.0, np.float32)
    gradient = jax.jit(jax.grad(ssim))(flat + 3, flat)
    assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)
