"""How near an image is to a reference: PSNR, SSIM and MS-SSIM, of grey images in 0..`peak`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

WINDOW, SIGMA = 11, 1.5
"""The Gaussian window of SSIM: its side and its standard deviation, in pixels."""
K1, K2 = 0.01, 0.03
"""What keeps SSIM's ratios finite, as fractions of the peak."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of MS-SSIM, finest scale first; they were fitted to observers, and add up to 1."""
_HALF_9_7 = [0.037828455507, -0.023849465020, -0.110624404418, 0.377402855613]
LOW_9_7 = np.array([*_HALF_9_7, 0.852698679009, *_HALF_9_7[::-1]])
"""The analysis low-pass filter of the 9/7 wavelet (Cohen, Daubechies & Feauveau 1992)."""
MS_SSIM_SIDE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""The shortest side, in pixels, of an image that has an MS-SSIM."""


@jax.jit
def psnr(image: jax.Array, reference: jax.Array, *, peak: float = 255.0) -> jax.Array:
    """Peak signal-to-noise ratio `10 log10(peak^2 / MSE)` in dB, a scalar; inf between equals.

    Args:
      image, reference: of one shape, any: the MSE is over every entry.
    """
    chex.assert_equal_shape([image, reference])
    error = _float(image) - _float(reference)
    return 10 * jnp.log10(peak**2 / jnp.mean(error**2))


@jax.jit
def ssim(image: jax.Array, reference: jax.Array, *, peak: float = 255.0) -> jax.Array:
    """Structural similarity (Wang et al. 2004, IEEE TIP 13(4), eqs. 13, 17), a scalar in [-1, 1].

    The mean of the map over the places where the 11 x 11 window lies inside the image, at full
    resolution: what the authors' `ssim_index.m` returns. Symmetric.

    Args:
      image, reference: `[H, W]`.

    Raises:
      ValueError: a side is shorter than the window.
    """
    _check(image, reference, WINDOW)
    luminance, contrast_structure, _ = _ssim_maps(_float(image), _float(reference), peak)
    return _mean(luminance * contrast_structure)


@jax.jit
def ms_ssim(image: jax.Array, reference: jax.Array, *, peak: float = 255.0) -> jax.Array:
    """Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003, eq. 7), a scalar in [0, 1].

    As the authors' `msssim.m` computes it: the product over five scales of the mean of contrast
    times structure, to the power of the scale's weight, where the coarsest has the luminance as
    well: the mean of its SSIM map. From scale to scale, 2 x 2 blocks are averaged; a side of odd
    length is first continued by its mirror image. A mean below zero, which has no such power,
    counts as zero. Symmetric.

    Args:
      image, reference: `[H, W]`.

    Raises:
      ValueError: a side is shorter than 176 pixels, 11 at the coarsest scale.
    """
    _check(image, reference, MS_SSIM_SIDE)
    x, y = _float(image), _float(reference)
    similarity = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale > 0:
            x, y = _halve(x), _halve(y)
        luminance, contrast_structure, _ = _ssim_maps(x, y, peak)
        if scale == len(SCALE_WEIGHTS) - 1:
            contrast_structure *= luminance
        similarity *= jnp.maximum(_mean(contrast_structure), 0) ** weight
    return similarity


@jax.jit
def ms_ssim_metrix(image: jax.Array, reference: jax.Array, *, peak: float = 255.0) -> jax.Array:
    """MS-SSIM as the package MeTriX MuX computes it, a scalar in [0, 1]: SRCNN's "MSSSIM".

    The same scales, weights and window as `ms_ssim`, with two differences: luminance, contrast and
    structure are averaged over the image each by itself before they are multiplied, and the scales
    are made with the low-pass filter of the 9/7 wavelet. It blurs less than a 2 x 2 mean, so that
    numbers are lower, by .010 for bicubic x4 on Set5.

    Args:
      image, reference: `[H, W]`.

    Raises:
      ValueError: a side is shorter than 176 pixels, 11 at the coarsest scale.
    """
    _check(image, reference, MS_SSIM_SIDE)
    x, y = _float(image), _float(reference)
    similarity = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale > 0:
            x, y = _halve_9_7(x), _halve_9_7(y)
        luminance, contrast_structure, contrast = _ssim_maps(x, y, peak)
        factors = _mean(contrast) * jnp.maximum(_mean(contrast_structure / contrast), 0)
        if scale == len(SCALE_WEIGHTS) - 1:
            factors *= _mean(luminance)
        similarity *= factors**weight
    return similarity


def _ssim_maps(x: jax.Array, y: jax.Array, peak: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Luminance l, contrast times structure c s, and contrast c: eqs. 6, 9, 10 with C3 = C2 / 2."""
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    # A second moment less a squared mean cancels where the mean is large. Neither variance nor
    # covariance sees an image's mean: without it, float32 is enough.
    offset_x, offset_y = jnp.mean(x), jnp.mean(y)
    x, y = x - offset_x, y - offset_y
    mean_x, mean_y, xx, yy, xy = _blur(jnp.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y, cov = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    mean_x, mean_y = mean_x + offset_x, mean_y + offset_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    both = var_x + var_y + c2
    deviations = jnp.sqrt(jnp.maximum(var_x, 0) * jnp.maximum(var_y, 0))
    return luminance, (2 * cov + c2) / both, (2 * deviations + c2) / both


def _blur(x: jax.Array) -> jax.Array:
    """The local Gaussian means of `[n, H, W]`, `[n, H - 10, W - 10]`."""
    window = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    return _correlate(_correlate(x, window, axis=1), window, axis=2)


def _halve(x: jax.Array) -> jax.Array:
    """The means of 2 x 2 blocks of `[H, W]`, `[ceil(H / 2), ceil(W / 2)]`."""
    h, w = x.shape
    x = jnp.pad(x, ((0, h % 2), (0, w % 2)), mode="symmetric")
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean(axis=(1, 3))


def _halve_9_7(x: jax.Array) -> jax.Array:
    """`[H, W] -> [ceil(H / 2), ceil(W / 2)]` through the 9/7 wavelet's low-pass filter."""
    x = jnp.pad(x, len(LOW_9_7) // 2, mode="symmetric")
    return _correlate(_correlate(x, LOW_9_7, axis=0, stride=2), LOW_9_7, axis=1, stride=2)


def _correlate(x: jax.Array, taps: np.ndarray, axis: int, stride: int = 1) -> jax.Array:
    """`x` weighted by `taps`, made to add up to 1, wherever all of them fit along `axis`.

    Shifted sums and no convolution: accelerators round the latter's factors to fewer bits.
    """
    taps = taps / taps.sum()
    last = x.shape[axis] - len(taps) + 1
    return sum(
        float(tap) * jax.lax.slice_in_dim(x, k, k + last, stride, axis)
        for k, tap in enumerate(taps)
    )


def _mean(x: jax.Array) -> jax.Array:
    """Of `[H, W]`, row by row: one running sum in float32 would lose digits on a large image."""
    return x.mean(axis=1).mean()


def _float(x: jax.Array) -> jax.Array:
    return jnp.asarray(x, jnp.float32)


def _check(image: jax.Array, reference: jax.Array, side: int) -> None:
    chex.assert_rank([image, reference], 2)
    chex.assert_equal_shape([image, reference])
    if min(image.shape) < side:
        raise ValueError(f"a {image.shape} image: its sides must be at least {side}")
