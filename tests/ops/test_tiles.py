"""Window by window is the same as whole, seams and borders included."""

import functools

import jax
import numpy as np
import pytest

from lib.models.super_resolution import SRCNN
from lib.ops.resize import resize
from lib.ops.tiles import in_tiles, spans


@pytest.mark.parametrize("tile, halo", [(1, 0), (5, 0), (5, 2), (8, 1), (9, 4), (16, 3)])
def test_spans_keep_every_pixel_once_and_cut_far_from_it(tile, halo):
    for length in range(1, 70):
        kept = []
        for start, begin, end in spans(length, tile, halo):
            stop = start + min(tile, length)
            assert 0 <= start <= begin < end <= stop <= length
            assert start == 0 or begin - start >= halo
            assert stop == length or stop - end >= halo
            kept += range(begin, end)
        assert kept == list(range(length))


@pytest.mark.parametrize("tile, halo", [(0, 0), (4, 2), (3, 2), (4, -1)])
def test_windows_too_small_for_their_halo_are_refused(tile, halo):
    with pytest.raises(ValueError, match="too small"):
        in_tiles(lambda window: window, np.zeros((9, 9, 1)), tile=tile, halo=halo)


def border_sums(image, radius=2):
    """Sums over squares, the border repeated: exact in integers."""
    around = ((radius, radius), (radius, radius), (0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(image, around, mode="edge"), (2 * radius + 1,) * 2, axis=(0, 1)
    )
    return windows.sum(axis=(3, 4))


SHAPES = [(1, 1), (3, 2), (1, 50), (9, 9), (10, 9), (9, 10), (13, 14), (19, 18), (40, 11), (31, 32)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_bitwise_those_of_the_whole(shape):
    image = np.random.default_rng(0).integers(0, 1000, (*shape, 2))
    made = in_tiles(border_sums, image, tile=9, halo=2)
    assert made.dtype == image.dtype
    np.testing.assert_array_equal(made, border_sums(image))


def test_a_halo_one_pixel_short_shows():
    image = np.random.default_rng(0).integers(0, 1000, (31, 32, 1))
    assert (in_tiles(border_sums, image, tile=9, halo=1) != border_sums(image)).any()


@functools.cache
def network(sizes):
    net = SRCNN(sizes, (4, 2), padding="EDGE", kernel_init=jax.nn.initializers.he_normal())
    return net, jax.jit(net.init)(jax.random.key(0), np.zeros((1, 9, 9, 1), np.float32))


@functools.partial(jax.jit, static_argnums=0)
def applied(net, params, image):
    return net.apply(params, image[None])[0]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (24, 24), (25, 23), (24, 61), (50, 43)])
@pytest.mark.parametrize("sizes", [(3, 1, 3), (9, 1, 5)])
def test_a_network_that_repeats_the_border_has_no_seams(sizes, shape):
    net, params = network(sizes)
    image = np.random.default_rng(1).random((*shape, 1), np.float32)
    halo = sum(size // 2 for size in sizes)
    seen = set()

    def windows(image):
        seen.add(image.shape)
        return applied(net, params, image)

    made = in_tiles(windows, image, tile=24, halo=halo)
    np.testing.assert_allclose(made, applied(net, params, image), atol=1e-6)
    assert len(seen) == 1  # so that one program serves


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (12, 13), (25, 41)])
def test_enlarging_has_no_seams(scale, shape):
    image = np.random.default_rng(2).random((*shape, 3), np.float32)

    def enlarge(image):
        return resize(image, (image.shape[0] * scale, image.shape[1] * scale))

    made = in_tiles(enlarge, image, tile=12, halo=2, scale=scale)
    np.testing.assert_allclose(made, enlarge(image), atol=1e-6)
