import itertools

import jax
import numpy as np
import pytest

from lib.ops.patches import cut, dihedral, grid_corners

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "shape, size, stride, rows, columns",
    [
        ((33, 33), 33, 14, 1, 1),
        ((46, 47), 33, 14, 1, 2),
        ((75, 33), 33, 14, 4, 1),
        ((32, 90), 33, 14, 0, 5),
        ((10, 12), 3, 1, 8, 10),
        ((10, 12), 5, 5, 2, 2),
    ],
)
def test_a_grid_starts_at_the_corner_and_ends_where_a_patch_still_fits(
    shape, size, stride, rows, columns
):
    corners = grid_corners(shape, size, stride)
    # The loops of generate_train.m: for x = 1 : stride : hei - size_input + 1.
    wanted = itertools.product(
        range(0, shape[0] - size + 1, stride), range(0, shape[1] - size + 1, stride)
    )
    assert corners.dtype == np.int32 and corners.shape == (rows * columns, 2)
    assert [tuple(c) for c in corners.tolist()] == list(wanted)


def test_patches_are_cut_where_the_corners_say():
    images = RNG.random((3, 9, 11, 2), np.float32)
    corners = np.array([[0, 0, 0], [2, 5, 7], [1, 3, 2], [1, 3, 2]], np.int32)
    for found in (cut(images, corners, 4), jax.jit(cut, static_argnums=2)(images, corners, 4)):
        assert found.shape == (4, 4, 4, 2)
        for patch, (i, y, x) in zip(found, corners, strict=True):
            np.testing.assert_array_equal(patch, images[i, y : y + 4, x : x + 4])


def test_a_patch_that_would_leave_its_image_is_moved_inside():
    images = RNG.random((2, 6, 8, 1), np.float32)
    found = cut(images, np.array([[1, 4, 99]], np.int32), 4)
    np.testing.assert_array_equal(found[0], images[1, 2:6, 4:8])


def test_bytes_stay_bytes():
    images = RNG.integers(0, 256, (2, 6, 8, 3), np.uint8)
    found = cut(images, np.array([[1, 1, 2]], np.int32), 3)
    np.testing.assert_array_equal(np.asarray(found[0]), images[1, 1:4, 2:5], strict=True)


def test_the_eight_symmetries_are_the_quarter_turns_and_their_mirror_images():
    patch = RNG.random((5, 5, 2), np.float32)
    wanted = [np.rot90(p, turns) for p in (patch, patch[:, ::-1]) for turns in range(4)]
    found = jax.vmap(dihedral, (None, 0))(patch, np.arange(8))
    assert len({x.tobytes() for x in np.asarray(found)}) == 8
    assert {x.tobytes() for x in np.asarray(found)} == {x.tobytes() for x in wanted}
    np.testing.assert_array_equal(found[0], patch)


@pytest.mark.parametrize("which", range(8))
def test_each_symmetry_is_the_same_compiled_or_not_and_moves_pixels_only(which):
    patch = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    one, two = dihedral(patch, which), jax.jit(dihedral)(patch, which)
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.uint8
    pixels = sorted(map(tuple, np.asarray(one).reshape(9, 3).tolist()))
    assert pixels == sorted(map(tuple, patch.reshape(9, 3).tolist()))
