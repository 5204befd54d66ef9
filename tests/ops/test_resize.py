"""MATLAB's `imresize`, written out in loops, and values known by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lib.ops.resize import contributions, resize

RNG = np.random.default_rng(0)
IMAGE = RNG.random((12, 9))


def cubic(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def matlab_taps(length, size, antialias):
    """`contributions` of imresize.m, counting from 1: for each output a dict input -> weight."""
    scale = size / length
    shrinks = antialias and scale < 1
    width = 4 / scale if shrinks else 4.0
    found = []
    for x in range(1, size + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        taps = {}
        for index in range(left, left + math.ceil(width) + 2):
            weight = scale * cubic(scale * (u - index)) if shrinks else cubic(u - index)
            aux = [*range(length), *reversed(range(length))]
            inside = aux[(index - 1) % (2 * length)]
            taps[inside] = taps.get(inside, 0.0) + weight
        total = sum(taps.values())
        found.append({i: w / total for i, w in taps.items()})
    return found


def matlab_imresize(image, shape, antialias=True):
    rows, columns = (matlab_taps(*s, antialias) for s in zip(image.shape, shape, strict=True))
    output = np.zeros(shape)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            output[i, j] = sum(
                v * h * image[y, x] for y, v in row.items() for x, h in column.items()
            )
    return output


@pytest.mark.parametrize(
    "shape", [(6, 3), (4, 9), (24, 27), (36, 3), (7, 5), (13, 10), (1, 1), (12, 20)]
)
@pytest.mark.parametrize("antialias", [True, False])
def test_it_is_matlabs_imresize(shape, antialias):
    found = resize(IMAGE, shape, antialias=antialias)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, matlab_imresize(IMAGE, shape, antialias), atol=1e-12)


def test_more_reflections_than_one_are_followed():
    tiny = RNG.random((2, 3))  # a kernel of 16 pixels looks over both borders many times
    for shape in ((1, 1), (8, 1), (1, 12)):
        np.testing.assert_allclose(resize(tiny, shape), matlab_imresize(tiny, shape), atol=1e-12)


@pytest.mark.parametrize("shape", [(15, 20), (20, 60), (90, 40), (25, 33)])
def test_pillow_says_the_same_where_no_border_is_seen(shape):
    image = RNG.random((60, 80)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(image).resize(shape[::-1], Image.Resampling.BICUBIC))
    # Pillow leaves out what lies outside instead of mirroring.
    y, x = (2 * max(1, math.ceil(new / old)) + 1 for old, new in zip((60, 80), shape, strict=True))
    found = resize(image, shape)
    np.testing.assert_allclose(found[y:-y, x:-x], theirs[y:-y, x:-x], atol=1e-5)


def test_an_impulse_twice_as_large_is_keys_kernel_at_odd_eighths():
    near, next_, third, last = 0.8671875, 0.2265625, -0.0703125, -0.0234375
    half = [last, third, next_, near]
    found = resize(np.eye(9)[4], (18,))
    np.testing.assert_allclose(found, [0] * 5 + half + half[::-1] + [0] * 5, atol=1e-15)


def test_an_impulse_half_as_large_is_the_stretched_kernel():
    found = resize(np.eye(16)[7], (8,))
    wanted = np.zeros(8)
    # Outputs 2, 3, 4, 5 have their centres 2.5, 0.5, 1.5 and 3.5 pixels away.
    wanted[2:6] = [-0.03515625, 0.43359375, 0.11328125, -0.01171875]
    np.testing.assert_allclose(found, wanted, atol=1e-15)


def test_the_border_is_mirrored():
    found = resize(np.array([1.0, 2, 3, 4]), (8,))
    # At -1/4: 1 weighs 0.8671875 + 0.2265625 (its mirror image), 2 what is left.
    np.testing.assert_allclose(found[[0, -1]], [0.90625, 5 - 0.90625], atol=1e-15)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("length, size", [(12, 4), (4, 12), (10, 7), (7, 10), (30, 1), (5, 5)])
def test_weights_sum_to_one_and_taps_are_pixels(length, size, antialias):
    taps, weights = contributions(length, size, antialias=antialias)
    assert taps.shape == weights.shape and len(taps) == size
    assert taps.min() >= 0 and taps.max() < length
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-15)


def test_a_constant_stays_and_the_mean_of_an_image_nearly_does():
    np.testing.assert_allclose(resize(np.full((9, 12), 0.3), (3, 7)), 0.3, atol=1e-15)
    small = resize(IMAGE, (4, 3))
    assert abs(small.mean() - IMAGE.mean()) < 0.02


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_ramp_is_a_ramp_away_from_the_border(factor):
    length = 24 * factor
    ramp, coarse = np.arange(length, dtype=float), np.arange(24.0)
    middle = (np.arange(24) + 0.5) * factor - 0.5
    np.testing.assert_allclose(resize(ramp, (24,))[2:-2], middle[2:-2], atol=1e-11)
    fine = (np.arange(length) + 0.5) / factor - 0.5
    inside = np.s_[2 * factor : -2 * factor]
    np.testing.assert_allclose(resize(coarse, (length,))[inside], fine[inside], atol=1e-12)


def test_antialiasing_matters_when_shrinking_and_only_then():
    smooth, sharp = (resize(IMAGE, (4, 3), antialias=a) for a in (True, False))
    assert np.abs(smooth - sharp).max() > 0.05 and smooth.std() < sharp.std()
    larger = [resize(IMAGE, (24, 20), antialias=a) for a in (True, False)]
    np.testing.assert_array_equal(*larger)


@pytest.mark.parametrize("shape", [(6, 3), (36, 27), (7, 5)])
def test_left_and_right_up_and_down_are_alike(shape):
    found = resize(IMAGE, shape)
    np.testing.assert_allclose(resize(IMAGE[::-1], shape), found[::-1], atol=1e-14)
    np.testing.assert_allclose(resize(IMAGE[:, ::-1], shape), found[:, ::-1], atol=1e-14)
    np.testing.assert_allclose(resize(IMAGE.T, shape[::-1]), found.T, atol=1e-14)


def test_channels_are_resized_each_for_itself_and_the_same_size_changes_nothing():
    image = RNG.random((6, 8, 3))
    found = resize(image, (9, 4))
    for c in range(3):
        np.testing.assert_array_equal(found[..., c], resize(image[..., c], (9, 4)))
    np.testing.assert_array_equal(resize(image, (6, 8)), image)


def test_numpy_gives_numpy_and_jax_the_same_in_jax():
    image = IMAGE.astype(np.float32)[:, :, None]
    ours = resize(image, (24, 3))
    assert type(ours) is np.ndarray and ours.dtype == np.float32
    theirs = resize(jnp.asarray(image), (24, 3))
    compiled = jax.jit(resize, static_argnums=1)(image, (24, 3))
    for found in (theirs, compiled):
        assert isinstance(found, jax.Array) and found.dtype == jnp.float32
        np.testing.assert_allclose(found, ours, atol=1e-6)
    coarse = jax.eval_shape(lambda x: resize(x, (24, 3)), jnp.asarray(image, jnp.bfloat16))
    assert coarse.dtype == jnp.bfloat16


def test_the_gradient_of_the_sum_is_the_matrices_column_sums():
    shape = (4, 20)
    rows, columns = resize(np.eye(12), (4, 12)), resize(np.eye(9), (20, 9))
    found = jax.jit(jax.grad(lambda x: resize(x, shape).sum()))(IMAGE.astype(np.float32))
    np.testing.assert_allclose(found, np.outer(rows.sum(axis=0), columns.sum(axis=0)), atol=1e-5)
    np.testing.assert_allclose(resize(IMAGE, shape), rows @ IMAGE @ columns.T, atol=1e-14)
