"""Sampling between pixels against loops over the equations, finite differences and torchvision."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.ops import sampling
from lib.ops.sampling import taps

# Eager, each would compile dozens of programs.


@jax.jit
def bilinear(x, points):
    """Of one image."""
    return sampling.bilinear(x[None], points[None])[0]


deformable_conv = jax.jit(
    sampling.deformable_conv, static_argnames=("stride", "dilation", "padding")
)
roi_pool = jax.jit(sampling.roi_pool, static_argnames="bins")
position_sensitive_roi_pool = jax.jit(sampling.position_sensitive_roi_pool, static_argnames="bins")
sampling_points = jax.jit(
    sampling.sampling_points, static_argnums=1, static_argnames=("stride", "dilation", "padding")
)
effective_dilation = jax.jit(sampling.effective_dilation, static_argnums=1)
slope_of_points = jax.jit(jax.grad(lambda points, x: bilinear(x, points).sum()))

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def equation_3(x, row, column):
    """The sum over all pixels, as it is written."""
    rows = np.maximum(0, 1 - np.abs(np.arange(x.shape[0]) - row))
    columns = np.maximum(0, 1 - np.abs(np.arange(x.shape[1]) - column))
    return np.einsum("h,w,hwc->c", rows, columns, x)


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def plain_conv(x, kernel, stride=1, dilation=1, padding=(1, 1)):
    pads = [(p, p) for p in padding]
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride,) * 2, pads, rhs_dilation=(dilation,) * 2, dimension_numbers=dims
    )


# --- Between pixels ---------------------------------------------------------------------------


def test_a_value_is_the_equations_sum_inside_at_the_border_and_outside():
    x = normal(4, 5, 3)
    points = RNG.uniform(-2, 6, (40, 2)).astype(np.float32)
    points[:4] = [[0, 0], [3, 4], [-0.5, 2], [3.25, 4.75]]
    truth = [equation_3(x, *point) for point in points]
    np.testing.assert_allclose(bilinear(x, points), truth, atol=1e-6)


@pytest.mark.parametrize("far", [-1e30, 1e30, -np.inf, np.inf, 2.0**31, -(2.0**33)])
def test_far_outside_is_zero_and_has_no_gradient(far):
    x, points = normal(3, 3, 2), np.float32([[far, 1], [1, far]])
    np.testing.assert_array_equal(bilinear(x, points), np.zeros((2, 2)))
    np.testing.assert_array_equal(slope_of_points(points, x), np.zeros((2, 2)))


def test_no_number_gives_no_number_there_and_nowhere_else():
    value = np.asarray(bilinear(normal(3, 3, 2), np.float32([[np.nan, 1], [1, 1]])))
    assert np.isnan(value[0]).all() and np.isfinite(value[1]).all()


def test_whole_numbers_are_images_too_and_points_in_them_have_gradients():
    x, points = RNG.integers(0, 256, (4, 5, 2)).astype(np.uint8), np.float32([[1.25, 2.5]])
    np.testing.assert_allclose(bilinear(x, points)[0], equation_3(x, 1.25, 2.5), rtol=1e-6)
    slope = np.asarray(slope_of_points(points, x))
    by_hand = equation_3(x, 2, 2.5).sum() - equation_3(x, 1, 2.5).sum()
    np.testing.assert_allclose(slope[0, 0], by_hand, rtol=1e-5)


def test_image_after_image_is_all_at_once(monkeypatch):
    """One CPU, and several devices: values and gradients."""
    x, points, g = normal(3, 4, 5, 2), 4 * normal(3, 2, 6, 2), normal(3, 2, 6, 2)
    found = []
    for devices in (1, 2):
        monkeypatch.setattr(jax, "device_count", lambda devices=devices: devices)

        @jax.jit
        def values_and_slopes(x, points, g):
            values, pull = jax.vjp(sampling.bilinear, x, points)
            return values, pull(g)

        assert ("while" in values_and_slopes.lower(x, points, g).as_text()) == (devices == 1)
        found.append(values_and_slopes(x, points, g))
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), *found)


# --- Deformable convolution -------------------------------------------------------------------


@pytest.mark.parametrize(
    "size, stride, dilation, groups", [(3, 1, 1, 1), (3, 2, 1, 2), (2, 1, 2, 1), (5, 1, 1, 1)]
)
def test_without_offsets_it_is_the_plain_convolution(size, stride, dilation, groups):
    x, kernel = normal(2, 7, 8, 4), normal(size, size, 4, 3)
    plain = plain_conv(x, kernel, stride, dilation)
    offsets = np.zeros((*plain.shape[:3], 2 * groups * size**2), np.float32)
    ours = deformable_conv(x, offsets, kernel, stride=stride, dilation=dilation, padding=(1, 1))
    np.testing.assert_allclose(ours, plain, atol=1e-5)


def test_the_same_whole_offset_everywhere_shifts_the_image():
    x, kernel = normal(1, 6, 6, 2), normal(3, 3, 2, 3)
    offsets = np.tile(np.float32([1, -2]), (1, 6, 6, 9))
    shifted = np.zeros_like(x)
    shifted[:, :-1, 2:] = x[:, 1:, :-2]
    # Beyond the border the shifted image has zeros where the image goes on: compare inside.
    ours = deformable_conv(x, offsets, kernel, padding=(1, 1))
    theirs = plain_conv(shifted, kernel)
    inside = np.s_[:, 1:-2, 3:-1]
    np.testing.assert_allclose(np.asarray(ours)[inside], np.asarray(theirs)[inside], atol=1e-5)


def test_offsets_that_spread_the_taps_dilate():
    x, kernel = normal(1, 9, 9, 2), normal(3, 3, 2, 3)
    spread = (np.asarray(taps((3, 3))) - 1).reshape(-1)
    offsets = np.tile(spread.astype(np.float32), (1, 9, 9, 1))
    ours = deformable_conv(x, offsets, kernel, padding=(1, 1))
    np.testing.assert_allclose(ours, plain_conv(x, kernel, 1, 2, (2, 2)), atol=1e-5)


def test_it_is_equation_2():
    x, kernel = normal(1, 4, 5, 4), normal(3, 2, 4, 2)
    offsets, mask = normal(1, 2, 2, 2 * 6 * 2), normal(1, 2, 2, 2 * 6)
    ours = np.asarray(deformable_conv(x, offsets, kernel, stride=2, padding=(1, 0), mask=mask))
    own, factors = offsets.reshape(2, 2, 2, 3, 2, 2), mask.reshape(2, 2, 2, 3, 2)
    for i, j in np.ndindex(2, 2):
        total = np.zeros(2)
        for group, a, b in np.ndindex(2, 3, 2):
            down, right = own[i, j, group, a, b]
            channels = slice(2 * group, 2 * group + 2)
            sample = equation_3(x[0, :, :, channels], 2 * i - 1 + a + down, 2 * j + b + right)
            total += factors[i, j, group, a, b] * sample @ kernel[a, b, channels]
        np.testing.assert_allclose(ours[0, i, j], total, atol=1e-5)


@jax.jit
def total_and_slopes(x, offsets, kernel, mask):
    def total(*arguments):
        return jnp.sin(deformable_conv(*arguments[:3], mask=arguments[3])).sum()

    return jax.value_and_grad(total, (0, 1, 2, 3))(x, offsets, kernel, mask)


@pytest.mark.parametrize("argument", range(4))
def test_its_gradient_is_the_finite_difference(argument):
    """In float64; away from whole coordinates, where the slope jumps."""
    offsets = RNG.uniform(0.2, 0.8, (1, 2, 2, 8)) + RNG.integers(-1, 2, (1, 2, 2, 8))
    arguments = (normal(1, 3, 3, 2), offsets, normal(2, 2, 2, 2), normal(1, 2, 2, 4))
    arguments = [np.float64(a) for a in arguments]
    step = 1e-6
    with jax.enable_x64(True):
        slope = np.asarray(total_and_slopes(*arguments)[1][argument])
        assert slope.dtype == np.float64
        for i in np.ndindex(slope.shape):
            ends = []
            for sign in (1, -1):
                changed = [a.copy() for a in arguments]
                changed[argument][i] += sign * step
                ends.append(float(total_and_slopes(*changed)[0]))
            assert slope[i] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("groups, modulated", [(1, False), (2, True)])
def test_it_is_torchvisions(groups, modulated):
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    x, kernel = normal(2, 6, 7, 4), normal(3, 3, 4, 5)
    offsets = 2 * normal(2, 6, 7, groups * 18)
    mask = normal(2, 6, 7, groups * 9) if modulated else None

    def channels_first(array):
        return None if array is None else torch.from_numpy(array.transpose(0, 3, 1, 2).copy())

    theirs = torchvision.ops.deform_conv2d(
        channels_first(x),
        channels_first(offsets),
        torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),
        padding=1,
        mask=channels_first(mask),
    )
    ours = deformable_conv(x, offsets, kernel, padding=(1, 1), mask=mask)
    np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-5)


@pytest.mark.parametrize(
    "offsets, message", [(17, "no multiple of 2 x 9"), (54, "4 channels cannot be split into 3")]
)
def test_what_comes_in_no_whole_groups_is_refused(offsets, message):
    with pytest.raises(ValueError, match=message):
        deformable_conv(normal(1, 3, 3, 4), normal(1, 3, 3, offsets), normal(3, 3, 4, 2))


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_an_undeformed_filter_has_its_dilation(dilation):
    points = sampling_points(np.zeros((2, 3, 18), np.float32), (3, 3), dilation=dilation)
    np.testing.assert_allclose(effective_dilation(points, (3, 3)), dilation, rtol=1e-6)


def test_effective_dilation_is_the_mean_over_twelve_pairs():
    points = np.asarray(taps((3, 3))).copy()
    points[8] += [3, 4]  # two of the pairs become |(1, 0) + (3, 4)| and |(0, 1) + (3, 4)|
    truth = (10 + math.hypot(4, 4) + math.hypot(3, 5)) / 12
    assert float(effective_dilation(points, (3, 3))) == pytest.approx(truth)


# --- RoI pooling ------------------------------------------------------------------------------

ROIS = np.float32([[0, 0, 6, 8], [1, 2, 5, 3], [4, 5, 3, 4], [2, 2, 1, 1], [-1, -2, 4, 5]])


def equation_7(x, roi, bins, offsets):
    """Loops over bins and their pixels; x `[h, w, bins, bins, c]`."""
    top, left, *sides = roi
    pooled = np.zeros((bins, bins, x.shape[-1]))
    for i, j in np.ndindex(bins, bins):
        bounds = [
            (math.floor(n * side / bins), math.ceil((n + 1) * side / bins))
            for n, side in zip((i, j), sides, strict=True)
        ]
        down, right = 0.1 * offsets[i, j] * sides
        pixels = [(r, c) for r in range(*bounds[0]) for c in range(*bounds[1])]
        for r, c in pixels:
            pooled[i, j] += equation_3(x[:, :, i, j], top + r + down, left + c + right)
        pooled[i, j] /= max(len(pixels), 1)
    return pooled


@pytest.mark.parametrize("moved", [0, 1])
def test_roi_pooling_is_its_equation(moved):
    x, offsets = normal(7, 9, 3), moved * normal(len(ROIS), 3, 3, 2)
    ours = roi_pool(x, ROIS, 3, offsets)
    same = np.broadcast_to(x[:, :, None, None], (7, 9, 3, 3, 3))
    truth = [equation_7(same, roi, 3, own) for roi, own in zip(ROIS, offsets, strict=True)]
    np.testing.assert_allclose(ours, truth, atol=1e-5)
    if not moved:
        np.testing.assert_allclose(roi_pool(x, ROIS, 3), truth, atol=1e-5)


def test_position_sensitive_pooling_reads_each_bin_from_its_own_map():
    x, offsets = normal(7, 9, 2, 2, 3), normal(len(ROIS), 2, 2, 2)
    ours = position_sensitive_roi_pool(x, ROIS, 2, offsets)
    truth = [equation_7(x, roi, 2, own) for roi, own in zip(ROIS, offsets, strict=True)]
    np.testing.assert_allclose(ours, truth, atol=1e-5)


def test_an_offset_of_ten_moves_a_bin_by_its_roi():
    x, offsets = normal(12, 12, 2), np.zeros((1, 2, 2, 2), np.float32)
    offsets[..., 0] = 10
    ours = roi_pool(x, np.float32([[1, 2, 4, 4]]), 2, offsets)
    np.testing.assert_allclose(ours, roi_pool(x, np.float32([[5, 2, 4, 4]]), 2), atol=1e-5)


def test_a_roi_that_is_empty_or_outside_pools_to_zero():
    x = normal(4, 4, 2)
    rois = np.float32([[1, 1, 0, 0], [20, 20, 4, 4], [-9, -9, 3, 3]])
    np.testing.assert_array_equal(roi_pool(x, rois, 2), np.zeros((3, 2, 2, 2)))
    slope = jax.jit(jax.grad(lambda r: roi_pool(x, r, 2).sum()))(rois)
    assert np.isfinite(slope).all()


def test_roi_pooling_is_torchvisions():
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    x = normal(7, 9, 2, 2, 3)
    rois = np.float32([[0, 0, 6, 8], [1, 2, 5, 3], [2, 2, 4, 4]])
    # Theirs: channel-major maps, and (image, x1, y1, x2, y2).
    maps = torch.from_numpy(x.transpose(4, 2, 3, 0, 1).reshape(1, 12, 7, 9).copy())
    boxes = [[0, left, top, left + w, top + h] for top, left, h, w in rois]
    theirs = torchvision.ops.ps_roi_pool(maps, torch.tensor(boxes), 2, 1.0).numpy()
    ours = position_sensitive_roi_pool(x, rois, 2)
    np.testing.assert_allclose(ours, theirs.transpose(0, 2, 3, 1), atol=1e-5)
