"""Super-resolution by coupled dictionaries: each step against its definition, the whole on photographs."""

import functools
import itertools
import time

import numpy as np
import pytest
import skimage.data

from experiments.srcnn import sparse_coding
from experiments.srcnn.sparse_coding import (
    NONZEROS,
    Dictionaries,
    encode,
    fit,
    gradients,
    learn,
    upscale,
)
from lib.batches.super_resolution import Pair, pair
from lib.metrics.super_resolution import shaved_psnr
from lib.ops.crops import to_uint8

CROPS = [skimage.data.camera()[100:196, 180:276], skimage.data.astronaut()[20:116, 180:276]]


def dictionary(rng, features, atoms):
    columns = rng.normal(size=(features, atoms))
    return (columns / np.linalg.norm(columns, axis=0)).astype(np.float32)


def dense(chosen, codes, atoms):
    q = np.zeros((len(codes), atoms), np.float32)
    np.put_along_axis(q, chosen, codes, axis=1)
    return q


@functools.cache
def learned(scale, **changes):
    settings = {"atoms": 32, "samples": 700, "seed": 0} | changes
    return learn([pair(crop, scale) for crop in CROPS], **settings)


# --- Codes -----------------------------------------------------------------------------------


def test_pursuit_finds_the_sparse_code_that_made_a_vector():
    rng = np.random.default_rng(0)
    atoms = dictionary(rng, 80, 100)
    chosen = np.stack([rng.choice(100, NONZEROS, replace=False) for _ in range(50)])
    codes = rng.choice([-1, 1], (50, NONZEROS)) * rng.uniform(1, 2, (50, NONZEROS))
    q = dense(chosen, codes, 100)
    found = dense(*encode(atoms, q @ atoms.T), 100)
    np.testing.assert_allclose(found, q, atol=1e-4)


def test_pursuit_is_greedy_choice_and_least_squares(monkeypatch):
    """A loop over vectors, with NumPy's `lstsq`; in several chunks, the last one incomplete."""
    monkeypatch.setattr(sparse_coding, "CHUNK", 7)
    rng = np.random.default_rng(1)
    atoms, vectors = dictionary(rng, 12, 40), rng.normal(size=(30, 12)).astype(np.float32)
    chosen, codes = encode(atoms, vectors)
    for vector, atoms_found, code in zip(vectors, chosen, codes, strict=True):
        wanted, residual = [], vector
        for _ in range(NONZEROS):
            wanted.append(int(np.abs(residual @ atoms).argmax()))
            least = np.linalg.lstsq(atoms[:, wanted], vector, rcond=None)[0]
            residual = vector - atoms[:, wanted] @ least
        assert atoms_found.tolist() == wanted
        np.testing.assert_allclose(code, least, atol=1e-4)


def test_pursuit_survives_atoms_that_are_zero_or_alike():
    atoms = np.zeros((5, 6), np.float32)
    atoms[0, :4] = 1
    vectors = np.array([[2, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], np.float32)
    chosen, codes = encode(atoms, vectors)
    assert all(len(set(row)) == NONZEROS for row in chosen.tolist())
    given = dense(chosen, codes, 6) @ atoms.T
    np.testing.assert_allclose(given, vectors * [1, 0, 0, 0, 0], atol=1e-4)


def test_fit_is_least_squares_and_an_unused_atom_becomes_zero():
    rng = np.random.default_rng(2)
    chosen = np.stack([rng.choice(9, NONZEROS, replace=False) for _ in range(200)])  # never atom 9
    codes = rng.normal(size=(200, NONZEROS)).astype(np.float32)
    targets = rng.normal(size=(200, 4)).astype(np.float32)
    q = dense(chosen, codes, 10)
    found = fit(targets, chosen, codes, 10)
    np.testing.assert_allclose(
        found[:, :9].T, np.linalg.lstsq(q[:, :9], targets, rcond=None)[0], atol=1e-4
    )
    np.testing.assert_array_equal(found[:, 9], 0)


def test_coupled_dictionaries_map_what_is_linear_exactly():
    """If r = M f, then A_h = M A_l wherever A_l gives f, and A_h q = r for every code q."""
    rng = np.random.default_rng(3)
    low, linear = dictionary(rng, 60, 20), rng.normal(size=(16, 60)).astype(np.float32)
    codes = rng.choice([-1, 1], (400, NONZEROS)) * rng.uniform(1, 2, (400, NONZEROS))
    chosen = np.stack([rng.choice(20, NONZEROS, replace=False) for _ in range(400)])
    features = dense(chosen, codes, 20) @ low.T
    found, code = encode(low, features)
    high = fit(features @ linear.T, found, code, 20)
    np.testing.assert_allclose(high, linear @ low, atol=1e-3)
    np.testing.assert_allclose(dense(found, code, 20) @ high.T, features @ linear.T, atol=5e-3)


# --- Patches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_gradients_of_a_slope_and_of_a_parabola(scale):
    y, x = np.mgrid[:30, :26].astype(np.float32)
    inside = (slice(scale, -scale), slice(scale, -scale))
    slope = gradients(2 * y + 3 * x, scale)[inside]
    np.testing.assert_array_equal(slope[0, 0], [2 * scale, 3 * scale, 0, 0])
    np.testing.assert_array_equal(slope, np.broadcast_to(slope[0, 0], slope.shape))
    bent = gradients(x * x, scale)[inside]
    np.testing.assert_array_equal(
        bent[..., 2:], np.broadcast_to([0, scale**2], bent[..., 2:].shape)
    )


def test_gradients_of_a_constant_are_zero_up_to_the_border():
    np.testing.assert_array_equal(gradients(np.full((9, 12), 0.3, np.float32), 3), 0)


@pytest.mark.parametrize("shape", [(24, 33), (25, 35)])
def test_overlapping_patches_are_averaged(shape):
    """A dictionary of one effective atom: each patch adds its code times a ramp, by hand."""
    scale, size = 3, 9
    rng = np.random.default_rng(4)
    image = rng.uniform(size=shape).astype(np.float32)
    axes = rng.normal(size=(4 * size**2, 5)).astype(np.float32)
    low, high = (
        dictionary(rng, 5, NONZEROS),
        rng.normal(size=(size**2, NONZEROS)).astype(np.float32),
    )
    total, count, features = np.zeros(shape), np.zeros(shape), gradients(image, scale)
    tops, lefts = (range(0, side - size + 1, scale) for side in shape)
    for top, left in itertools.product(tops, lefts):
        at = (slice(top, top + size), slice(left, left + size))
        f = features[at].transpose(2, 0, 1).ravel() @ axes
        q = np.linalg.lstsq(low, f, rcond=None)[0]
        total[at] += (high @ q).reshape(size, size)
        count[at] += 1
    found = upscale(Dictionaries(axes, low, high), image, scale)
    np.testing.assert_allclose(found, image + total / np.maximum(count, 1), rtol=1e-2, atol=2e-3)
    assert (count[:24, :33] > 0).all()
    np.testing.assert_array_equal(found[count == 0], image[count == 0])


def test_dictionaries_of_zeros_give_bicubic():
    bicubic = pair(CROPS[0], 3).bicubic[:, :, 0]
    blank = Dictionaries(*(np.zeros(s, np.float32) for s in ((324, 7), (7, 16), (81, 16))))
    np.testing.assert_array_equal(upscale(blank, bicubic, 3), bicubic)


def test_dictionaries_of_another_scale_and_images_below_a_patch_are_refused():
    blank = Dictionaries(*(np.zeros(s, np.float32) for s in ((324, 7), (7, 16), (81, 16))))
    with pytest.raises(AssertionError):
        upscale(blank, np.zeros((32, 32), np.float32), 2)
    with pytest.raises(ValueError):
        upscale(blank, np.zeros((8, 32), np.float32), 3)


# --- Photographs -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_on_photographs_it_beats_bicubic_inside_and_at_the_border(scale):
    """Trained on both crops: gains on each, and in the frame that scores cut away."""
    dictionaries = learned(scale)
    for crop in CROPS:
        truth, bicubic, _ = pair(crop, scale)
        output = upscale(dictionaries, bicubic[:, :, 0], scale)
        assert output.shape == bicubic.shape[:2] and output.dtype == np.float32
        before, after = (shaved_psnr(x, truth[:, :, 0], scale) for x in (bicubic[:, :, 0], output))
        assert after > before + 0.5
        frame = np.ones(output.shape, bool)
        frame[2 * scale : -2 * scale, 2 * scale : -2 * scale] = False
        errors = (
            np.square(x - truth[:, :, 0] / 255.0)[frame].mean() for x in (output, bicubic[:, :, 0])
        )
        assert next(errors) < next(errors)


@pytest.mark.parametrize("train, test", [(0, 1), (1, 0)])
def test_what_one_photograph_teaches_helps_on_another(train, test):
    dictionaries = learn([pair(CROPS[train], 3)], atoms=32, samples=900, seed=0)
    truth, bicubic, _ = pair(CROPS[test], 3)
    output = upscale(dictionaries, bicubic[:, :, 0], 3)
    gain = shaved_psnr(output, truth[:, :, 0], 3) - shaved_psnr(bicubic[:, :, 0], truth[:, :, 0], 3)
    assert gain > 0.2


def test_the_arrays_are_as_described_and_the_seed_decides_them():
    first, again, other = learned(3), learned.__wrapped__(3), learned(3, seed=1)
    d = first.low.shape[0]
    assert [a.shape for a in first] == [(324, d), (d, 32), (81, 32)] and d < 60
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in first)
    np.testing.assert_allclose(first.axes.T @ first.axes, np.eye(d), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(first.low, axis=0), 1, rtol=1e-5)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.high, other.high)


def test_an_image_without_detail_to_add_stays():
    flat = np.full((96, 96), 120, np.uint8)
    output = upscale(learned(3), pair(flat, 3).bicubic[:, :, 0], 3)
    np.testing.assert_array_equal(to_uint8(output), flat)


def test_images_below_a_patch_are_passed_over_and_too_few_patches_refused():
    small = Pair(np.zeros((6, 96, 1), np.uint8), np.zeros((6, 96, 1), np.float32), 3)
    pairs = [pair(crop, 3) for crop in CROPS]
    settings = {"atoms": 16, "samples": 400, "seed": 0}
    for a, b in zip(learn(pairs, **settings), learn([small, *pairs], **settings), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="too few for 16 atoms"):
        learn([small], **settings)


def test_the_smoke_setting_takes_no_time():
    started = time.process_time()
    learned.__wrapped__(3, atoms=16, samples=500)
    assert time.process_time() - started < 2
