"""How the VDSR experiment trains, and what it says, on tiny settings and one smoke run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.vdsr import details
from experiments.vdsr.analyses import TRAINING_SCALES
from experiments.vdsr.config import CLAIMS, PRESETS, SCALES, Config
from experiments.vdsr.experiment import run
from experiments.vdsr.training import (
    learning_rate,
    loss_of,
    make_course,
    make_optimiser,
    make_patches,
    make_step,
    minibatch,
    of_scales,
    starting_at_bicubic,
    train_network,
    upscaler,
)
from lib.batches.super_resolution import pair
from lib.metrics.super_resolution import shaved_psnr
from lib.models.super_resolution import VDSR
from lib.run.keys import root_keys
from lib.run.watch import Watch
from lib.steps.supervised import init_state

TINY = dataclasses.replace(PRESETS["smoke"], batch=16, patch=12)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (61, 49, 3), dtype=np.uint8) for _ in range(2)]


@pytest.fixture(scope="module")
def patches(images):
    return make_patches(TINY, images)


@pytest.fixture(scope="module")
def small_net():
    """`(net, parameters, images)`."""
    net, x = VDSR(2, 3), jax.random.uniform(jax.random.key(0), (4, 6, 6, 1))
    return net, net.init(jax.random.key(2), x)["params"], x


def scale_of(corners):
    return np.asarray(SCALES)[np.asarray(corners)[:, 0] // 2]


# --- Patches ---------------------------------------------------------------------------------


def test_patches_of_all_scales_do_not_overlap(patches):
    corners = np.asarray(patches.corners)
    assert np.all(corners[:, 1:] % 12 == 0)
    assert len({tuple(c) for c in corners}) == len(corners) == 3 * 2 * 5 * 4
    assert np.array_equal(np.bincount(scale_of(corners))[2:], [40, 40, 40])


def test_each_scale_has_its_own_upscaling_and_the_same_truth(patches, images):
    for i, scale in enumerate(SCALES):
        made = pair(images[1], scale)
        height, width = made.truth.shape[:2]
        np.testing.assert_array_equal(patches.truth[2 * i + 1, :height, :width], made.truth)
        np.testing.assert_array_equal(patches.bicubic[2 * i + 1, :height, :width], made.bicubic)


@pytest.mark.parametrize("scales", TRAINING_SCALES)
def test_patches_of_some_scales_are_as_many_and_evenly_repeated(patches, scales):
    chosen = of_scales(patches, scales)
    assert chosen.corners.shape == patches.corners.shape
    assert set(scale_of(chosen.corners)) == set(scales)
    times = np.unique(np.asarray(chosen.corners), axis=0, return_counts=True)[1]
    assert len(times) == 40 * len(scales) and times.max() - times.min() <= 1


def test_minibatches_mix_the_scales(patches):
    """By which images they are of: each of the 120 patches once an epoch, in a random order."""
    config = dataclasses.replace(TINY, batch=24, augment=False)
    marked = patches._replace(
        bicubic=jnp.broadcast_to(jnp.arange(6.0).reshape(6, 1, 1, 1), patches.bicubic.shape)
    )
    batches = [minibatch(config, marked, jax.random.key(0), t)[0][:, 0, 0, 0] for t in range(5)]
    scales = np.asarray(SCALES)[np.asarray(jnp.stack(batches), int) // 2]
    for batch in scales:
        assert set(batch) == set(SCALES)
    assert np.array_equal(np.bincount(scales.ravel())[2:], [40, 40, 40])


def test_input_and_truth_are_turned_alike():
    """On an image that bicubic leaves as it is, the two stay equal whatever is done to both."""
    config = dataclasses.replace(TINY, batch=40)
    grey = np.tile(np.arange(60, dtype=np.uint8)[:, None], (1, 60)) * 4
    data = make_patches(config, [grey])
    data = data._replace(bicubic=data.truth.astype(jnp.float32) / 255)
    bicubic, truth = minibatch(config, data, jax.random.key(0), jnp.int32(3))
    np.testing.assert_allclose(bicubic, truth, atol=1e-6)
    slopes = np.asarray(truth[:, 1, 0, 0] - truth[:, 0, 0, 0])
    assert (slopes > 0).any() and (slopes < 0).any() and (slopes == 0).any()


# --- The rule --------------------------------------------------------------------------------


def test_the_learning_rate_falls_by_ten_every_quarter(patches):
    course = make_course(patches, 80, 0.1)
    rates = jax.vmap(lambda t: learning_rate(Config(), course, t))(jnp.arange(80))
    np.testing.assert_allclose(rates, np.repeat([1e-1, 1e-2, 1e-3, 1e-4], 20), rtol=1e-5)


def test_or_it_rises_shortly_and_falls_to_zero(patches):
    config, course = dataclasses.replace(Config(), schedule="cosine"), make_course(patches, 100, 3)
    rates = np.asarray(jax.vmap(lambda t: learning_rate(config, course, t))(jnp.arange(100)))
    assert rates.argmax() == 4 and rates[4] == pytest.approx(3)
    assert rates[0] == pytest.approx(3 / 5) and rates[-1] == pytest.approx(0, abs=1e-6)
    assert np.all(np.diff(rates[4:]) < 0)


def test_the_loss_is_half_the_squares_summed_over_a_patch(small_net):
    net, params, x = small_net
    y = jax.random.uniform(jax.random.key(3), x.shape)
    found, metrics = loss_of(net)(params, (x, y), None)
    residual = np.asarray(y - x, np.float64)
    predicted = np.asarray(net.apply({"params": params}, x) - x, np.float64)
    wanted = np.mean([((r - f) ** 2).sum() / 2 for r, f in zip(residual, predicted, strict=True)])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"], wanted * 2 / 36, rtol=1e-5)


def test_the_update_clips_then_decays_the_filters_then_has_momentum():
    """Two updates written out: v <- 0.9 v + clip(g) + 1e-4 w; w <- w - lr v."""
    config = Config(clip=0.05)
    w = {"kernel": np.array([[2.0, -3.0]]), "bias": np.array([5.0])}
    gradients = [
        {"kernel": np.array([[0.3, -9.0]]), "bias": np.array([0.4])},
        {"kernel": np.array([[-2.0, 0.1]]), "bias": np.array([-8.0])},
    ]
    params = jax.tree.map(jnp.asarray, w)
    state = make_optimiser(config, jnp.float32(0.1)).init(params)
    v = jax.tree.map(np.zeros_like, w)
    for g, rate in zip(gradients, (0.1, 0.01), strict=True):
        updates, state = make_optimiser(config, jnp.float32(rate)).update(
            jax.tree.map(jnp.asarray, g), state, params
        )
        params = jax.tree.map(jnp.add, params, updates)
        bound = 0.05 / rate
        for name, decay in (("kernel", 1e-4), ("bias", 0.0)):
            clipped = np.clip(g[name], -bound, bound)
            v[name] = 0.9 * v[name] + clipped + decay * w[name]
            w[name] = w[name] - rate * v[name]
            np.testing.assert_allclose(params[name], w[name], rtol=1e-5)


RATES = (10.0, 0.1, 0.001)
THETA = 1e-4


@pytest.fixture(scope="module")
def steps_at_rates(patches):
    """What one update without momentum and decay changes, at each of `RATES`."""
    config = dataclasses.replace(
        TINY, optimiser="sgd", momentum=0.0, weight_decay=0.0, clip=THETA, batch=4
    )
    net = VDSR(3, 4)
    params = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    state = init_state(params, make_optimiser(config, jnp.float32(1)))
    step = jax.jit(make_step(config, net))
    moved = []
    for rate in RATES:
        course = make_course(patches, 10, rate)
        after, _ = step(state, course, jax.random.key(1), jnp.int32(0))
        moved.append(jax.tree.map(lambda a, b: np.abs(a - b).max(), after.params, params))
    return moved


def test_no_step_is_longer_than_theta_without_momentum_at_any_learning_rate(steps_at_rates):
    for moved in steps_at_rates:
        assert max(jax.tree.leaves(moved)) == pytest.approx(THETA, rel=1e-2)


def test_every_parameter_gets_a_gradient(steps_at_rates):
    """Which, with neither momentum nor decay, is all that moves it."""
    assert len(jax.tree.leaves(steps_at_rates[0])) == 6
    assert all(leaf > 0 for leaf in jax.tree.leaves(steps_at_rates[0]))


def test_starting_at_bicubic_the_network_returns_its_input(small_net):
    net, params, x = small_net
    np.testing.assert_array_equal(net.apply({"params": starting_at_bicubic(params)}, x), x)


def test_a_plain_network_that_says_nothing_returns_nothing(small_net):
    """It has no path from its input to its output: the residual one's is what makes them differ."""
    net, params, x = small_net
    silent = starting_at_bicubic(params)
    assert not VDSR(net.depth, net.width, residual=False).apply({"params": silent}, x).any()
    both = [upscaler(net.depth, net.width, r)(params, x[0]) for r in (True, False)]
    np.testing.assert_allclose(both[0] - both[1], x[0], atol=1e-6)


@pytest.mark.parametrize("optimiser", ["sgd", "muon"])
def test_a_single_patch_is_learned_by_heart(optimiser):
    config = dataclasses.replace(
        TINY,
        optimiser=optimiser,
        initialiser="he",
        learning_rate=0.03 if optimiser == "muon" else 0.1,
        clip=1e-3,
        batch=1,
        augment=False,
    )
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (6, 6)), np.ones((2, 2))).astype(np.uint8)
    data = of_scales(make_patches(config, [smooth]), (2,))
    trained = train_network(
        "one", config, data, root_keys((0,)), Watch(), steps=200, depth=3, width=12
    )
    bicubic = float(jnp.square(data.truth[0] / 255.0 - data.bicubic[0]).mean())
    assert trained.history[-1]["mse"][0] < 0.1 * bicubic


def test_learning_rates_share_one_compiled_step():
    assert make_step(TINY, VDSR(3, 4)) is make_step(TINY, VDSR(3, 4))


# --- Details ---------------------------------------------------------------------------------


def test_edge_measures_of_a_residual_that_is_on_edges_only():
    steep = np.zeros((10, 10))
    steep[:, 4:6] = 1
    on, off = steep.copy(), 1 - steep
    assert details.edge_measures(on, steep) == pytest.approx((1.0, 1.0))
    assert details.edge_measures(off, steep) == pytest.approx((0.0, -1.0))


def test_the_histogram_is_a_density():
    maps = [np.random.default_rng(0).normal(0, 0.02, (50, 50))]
    found = details.histogram(maps)
    assert (found * np.diff(details.BINS)).sum() == pytest.approx(1)
    assert abs(details.BINS[found.argmax()]) < 0.03


# --- One smoke run ---------------------------------------------------------------------------


OF_NO_SEED = ("bicubic_", "fractional_bicubic_", "residual_small", "residual_edge_")


def test_every_metric_is_finite_and_every_claim_on_hand_finds_its_own(vdsr_smoke):
    _, _, result = vdsr_smoke
    for name, values in result.metrics.items():
        assert isinstance(values, float) == name.startswith(OF_NO_SEED), name
        assert np.shape(values) in ((), (1,)) and np.isfinite(values).all(), name
    elsewhere = ("set5", "set14", "bsd100", "urban100")
    wanted = {claim.metric for claim in CLAIMS if claim.dataset not in elsewhere}
    wanted |= {claim.baseline.metric for claim in CLAIMS if claim.baseline}
    assert wanted <= result.metrics.keys()


def test_the_claims_of_other_sets_name_metrics_that_a_run_on_them_has(vdsr_smoke):
    measured = vdsr_smoke[2].metrics.keys()
    for claim in CLAIMS:
        if claim.dataset not in (None, "photographs") and not claim.metric.startswith(
            ("authors_", "kept_")
        ):
            assert claim.metric.replace(claim.dataset, "photographs") in measured, claim.id


def test_the_metrics_agree_with_one_another(vdsr_smoke):
    metrics = {name: np.ravel(values)[0] for name, values in vdsr_smoke[2].metrics.items()}
    for scale in SCALES:
        gain = metrics[f"ours_psnr_photographs_x{scale}"] - metrics[f"bicubic_x{scale}"]
        assert metrics[f"gain_photographs_x{scale}"] == pytest.approx(gain, abs=1e-3)
        own = metrics[f"trained_2-3-4_gain_x{scale}"] - metrics[f"trained_{scale}_gain_x{scale}"]
        assert metrics[f"multi_over_single_x{scale}"] == pytest.approx(own, abs=1e-3)
        shared = metrics[f"depth_3_gain_x{scale}"]
        assert shared == metrics[f"trained_2-3-4_gain_x{scale}"]  # one network, two parts
    assert 0 <= metrics["residual_small"] <= 1 and 0 <= metrics["residual_edge_energy"] <= 1
    assert metrics["fractional_bicubic_x1.5"] > metrics["fractional_bicubic_x4"]


def test_what_the_kept_weights_add_to_bicubic_is_the_reported_gain(vdsr_smoke):
    """Layer by layer in NumPy: zeros around the border, rectifiers between, the input added at the end."""
    config, data, result = vdsr_smoke
    params, _ = result.weights["vdsr"]
    (image,) = data.test["photographs"].values()
    made = pair(image, 3)
    maps = np.asarray(made.bicubic, np.float64)
    for i in range(1, config.depth + 1):
        kernel, bias = (
            np.asarray(params[f"conv{i}"][k][0], np.float64) for k in ("kernel", "bias")
        )
        wide = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
        shifted = (
            wide[a : a + maps.shape[0], b : b + maps.shape[1]] @ kernel[a, b]
            for a in range(3)
            for b in range(3)
        )
        maps = sum(shifted) + bias
        maps = np.maximum(maps, 0) if i < config.depth else maps
    ours, bicubic = (
        float(shaved_psnr(x.astype(np.float32), made.truth, 3))
        for x in (made.bicubic + maps, made.bicubic)
    )
    gain = result.metrics["gain_photographs_x3"][0]
    assert gain == pytest.approx(ours - bicubic, abs=2e-3) and gain > 0.05


def test_the_history_has_a_training_for_each_network(vdsr_smoke):
    config, _, result = vdsr_smoke
    assert len(result.history) == 1 + 2 * 3 + len(TRAINING_SCALES) + len(config.depths.depths)
    assert result.history["depth-3"] == result.history["scales-2-3-4"]
    assert [row["step"] for row in result.history["vdsr"]][-1] == config.steps
    curve = [row for row in result.history["residual-lr0.1"] if "psnr" in row]
    assert [row["step"] for row in curve] == list(range(5, 41, 5))


def test_the_weights_are_kept_with_what_there_is_to_know(vdsr_smoke):
    config, _, result = vdsr_smoke
    params, about = result.weights["vdsr"]
    assert len(params) == config.depth and about["trained on"] == "photographs[:3]"
    assert params["conv1"]["kernel"].shape == (1, 3, 3, 1, config.width)  # a seed, then the filters


def test_parts_alone_find_what_they_find_beside_others(vdsr_smoke):
    config, data, whole = vdsr_smoke
    some = run(config, jax.random.key(0), data, only=("residuals", "figure_5", "figure_3"))
    assert {"learned_small", "fractional_gain_x2.5", "depth_3_gain_x4"} <= some.metrics.keys()
    assert "trained_2-3-4_gain_x4" not in some.metrics
    assert some.metrics.items() <= whole.metrics.items()
