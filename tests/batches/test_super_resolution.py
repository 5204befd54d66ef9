"""The papers' protocol, on small images; and, where somebody has them, on Set5 and T91."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.base.errors import UserError
from lib.batches.super_resolution import Patches, load_sets, pair, patches, planes, take
from lib.data import DataNotFound, load
from lib.metrics.super_resolution import mean_psnr
from lib.models.super_resolution import SRCNN, VDSR
from lib.ops.color import rgb_to_ycbcr
from lib.ops.resize import resize
from lib.pretrained import authors

RNG = np.random.default_rng(0)


def photograph(height, width, channels=3):
    """Bytes above 0: no padding is among them."""
    return RNG.integers(1, 256, (height, width, channels)[: 3 if channels > 1 else 2], np.uint8)


# --- Sets ------------------------------------------------------------------------------------


def test_sets_are_named_with_the_part_that_is_wanted():
    whole, part = load_sets(("photographs",), "test")[0], load_sets(("photographs[:2]",), "test")[0]
    assert part.split == "test[:2]" and list(part.arrays) == list(whole.arrays)[:2]


@pytest.mark.parametrize(
    "names, message",
    [
        (("digits",), "digits is not a set of photographs"),
        (("photographs[:1]", "photographs[1:]"), "photographs is named twice"),
    ],
)
def test_a_wrong_set_is_one_line(names, message):
    with pytest.raises(UserError, match=message) as raised:
        load_sets(names, "train")
    assert raised.value.code == 2


# --- Pairs -----------------------------------------------------------------------------------


def test_a_grey_image_is_its_own_y():
    grey = photograph(6, 5, 1)
    np.testing.assert_array_equal(planes(grey)[:, :, 0], grey, strict=True)


def test_y_of_an_rgb_image_is_rounded_to_bytes():
    known = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    found = planes(known)
    np.testing.assert_array_equal(found[..., 0], np.array([[16, 235, 81, 41]], np.uint8))
    assert found.dtype == np.uint8 and found.shape == (1, 4, 1)


def test_three_planes_of_an_rgb_image():
    image = photograph(6, 5)
    np.testing.assert_array_equal(planes(image, "rgb"), image, strict=True)
    wanted = np.floor(255 * rgb_to_ycbcr(image / 255) + 0.5)
    found = planes(image, "ycbcr")
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, wanted, atol=1)
    assert np.mean(found != wanted) < 0.02, "float32 may round a tie otherwise"
    np.testing.assert_array_equal(planes(image, "ycbcr")[..., :1], planes(image, "y"))


def test_three_planes_of_a_grey_image_have_no_colour():
    grey = photograph(4, 3, 1)
    np.testing.assert_array_equal(planes(grey, "rgb"), np.stack([grey] * 3, axis=2), strict=True)
    np.testing.assert_array_equal(planes(grey, "ycbcr")[..., 1:], 128)


@pytest.mark.parametrize("which, channels", [("y", 1), ("ycbcr", 3), ("rgb", 3)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pair_is_cut_to_a_multiple_shrunk_and_enlarged_without_rounding(scale, which, channels):
    image = photograph(14, 19)
    found = pair(image, scale, which)
    height, width = 14 - 14 % scale, 19 - 19 % scale
    assert found.scale == scale
    assert found.truth.dtype == np.uint8 and found.bicubic.dtype == np.float32
    assert found.truth.shape == found.bicubic.shape == (height, width, channels)
    np.testing.assert_array_equal(found.truth, planes(image, which)[:height, :width])
    exact = found.truth / 255
    wanted = resize(resize(exact, (height // scale, width // scale)), (height, width))
    np.testing.assert_allclose(found.bicubic, wanted, atol=1e-6)
    assert np.abs(found.bicubic * 255 - np.round(found.bicubic * 255)).max() > 0.4


# --- Patches ---------------------------------------------------------------------------------

SCALE, SIZE, STRIDE = 2, 6, 3
IMAGES = [photograph(*shape) for shape in ((12, 20), (21, 8), (7, 7), (4, 30), (13, 13, 1))]
PAIRS = [pair(image, SCALE) for image in IMAGES]


def test_patches_are_those_on_each_images_own_grid():
    data = patches(PAIRS, size=SIZE, stride=STRIDE)
    wanted = [
        (i, y, x)
        for i, p in enumerate(PAIRS)
        for y in range(0, p.truth.shape[0] - SIZE + 1, STRIDE)
        for x in range(0, p.truth.shape[1] - SIZE + 1, STRIDE)
    ]
    assert [tuple(c) for c in data.corners.tolist()] == wanted
    assert {i for i, _, _ in wanted} == {0, 1, 2, 4}, "image 3 is lower than a patch"
    assert data.corners.dtype == jnp.int32
    assert data.bicubic.dtype == jnp.float32 and data.truth.dtype == jnp.uint8
    assert data.bicubic.shape == data.truth.shape == (5, 20, 30, 1)


def test_each_patch_is_its_images_own_and_never_shows_padding():
    data = patches(PAIRS, size=SIZE, stride=STRIDE)
    bicubic, truth = jax.jit(take, static_argnums=2)(data, jnp.arange(len(data.corners)), SIZE)
    assert bicubic.dtype == truth.dtype == jnp.float32
    assert bicubic.shape == truth.shape == (len(data.corners), SIZE, SIZE, 1)
    assert truth.min() >= 1 / 256, "no image has a zero"
    for n, (i, y, x) in enumerate(data.corners.tolist()):
        window = np.s_[y : y + SIZE, x : x + SIZE]
        np.testing.assert_array_equal(bicubic[n], PAIRS[i].bicubic[window])
        np.testing.assert_allclose(truth[n], PAIRS[i].truth[window] / 255, rtol=1e-6)


def test_bicubic_and_truth_are_turned_alike():
    image = photograph(6, 6)
    same = pair(image, 2)
    data = patches([same._replace(bicubic=same.truth / np.float32(255))], size=6, stride=6)
    bicubic, truth = take(data, jnp.zeros(8, int), 6, jnp.arange(8))
    np.testing.assert_allclose(bicubic, truth, rtol=1e-6)
    assert len({x.tobytes() for x in np.asarray(bicubic)}) == 8
    np.testing.assert_array_equal(bicubic[0], take(data, jnp.zeros(1, int), 6)[0][0])


def test_three_planes_are_kept():
    data = patches([pair(photograph(9, 9), 3, "rgb")], size=5, stride=2)
    bicubic, truth = take(data, jnp.arange(len(data.corners)), 5)
    assert bicubic.shape == truth.shape == (9, 5, 5, 3)


def test_patches_are_a_pytree_of_three_arrays():
    data = patches(PAIRS[:1], size=SIZE, stride=STRIDE)
    assert isinstance(jax.tree.map(lambda x: x, data), Patches) and len(jax.tree.leaves(data)) == 3


def test_no_image_as_large_as_a_patch_is_an_error():
    with pytest.raises(UserError, match="--patch 22: no image is as large"):
        patches(PAIRS, size=22, stride=1)


# --- Set5 and T91 ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """`real(name, split)`: the images of a set in the folder that DEEP_MORNING_DATA names."""
    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder:
        pytest.skip("DEEP_MORNING_DATA names no folder of image sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))

        def real(name, split):
            try:
                return list(load(name, split, data_dir=folder).arrays.values())
            except DataNotFound:
                pytest.skip(f"no {name} in {folder}")

        yield real


def weights(pattern):
    """The one file of the authors' below that folder."""
    found = sorted(Path(os.environ["DEEP_MORNING_DATA"]).rglob(pattern))
    if not found:
        pytest.skip(f"no {pattern} below DEEP_MORNING_DATA")
    return found[0]


def psnr_on_set5(net, params, real, scale=3):
    upscale = jax.jit(lambda y: net.apply({"params": params}, y[None])[0])
    return mean_psnr(upscale, [pair(image, scale) for image in real("set5", "test")])


@pytest.mark.parametrize("scale, psnr", [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_bicubic_on_set5_is_what_the_papers_say(scale, psnr, real):
    pairs = [pair(image, scale) for image in real("set5", "test")]
    assert mean_psnr(lambda bicubic: bicubic, pairs) == pytest.approx(psnr, abs=0.01)


def test_t91_has_as_many_sub_images_as_the_released_script_cuts(real):
    pairs = [pair(image, 3) for image in real("t91", "train")]
    assert patches(pairs, size=33, stride=14).corners.shape == (21_884, 3)


def test_the_authors_srcnn_scores_what_they_say(real):
    sizes, widths, params = authors.srcnn(weights("9-5-5(ImageNet)/x3.mat"))
    assert (sizes, widths) == ((9, 5, 5), (64, 32))
    net = SRCNN(sizes, widths, padding="EDGE")
    assert psnr_on_set5(net, params, real) == pytest.approx(32.75, abs=0.02)


def test_the_authors_vdsr_scores_what_they_say(real):
    params = authors.vdsr(weights("VDSR_Official.mat"))
    assert psnr_on_set5(VDSR(), params, real) == pytest.approx(33.66, abs=0.02)
