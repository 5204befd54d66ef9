"""SRCNN's experiment: what its config refuses, how it trains, what it measures."""

import dataclasses
import json
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.io
import skimage.color

from experiments.srcnn import ablations, beyond, claims, experiment, figures, training
from experiments.srcnn import sparse_coding as classical
from experiments.srcnn.config import PARTS, PRESETS, Colors, Config, SparseCoding, Studies, sizes_of
from experiments.srcnn.data import Data, in_color
from lib.base.errors import UserError
from lib.batches.super_resolution import Patches, pair, patches, planes, take
from lib.metrics.super_resolution import mean_psnr, shaved_psnr
from lib.models.super_resolution import SRCNN
from lib.ops.crops import centre_crop, modcrop
from lib.ops.resize import resize
from lib.run.claims import judge, summarise
from lib.run.keys import root_keys
from lib.run.loop import Trained, member
from lib.run.result import Result, load_part, save_part
from lib.run.watch import Watch
from lib.steps.supervised import init_state

SMOKE = PRESETS["smoke"]
MUON = dataclasses.replace(SMOKE, widths=(6, 4), batch=4, patch=13, stride=13, chunk=10, every=10)
# Where any rule will do, it is the one that compiles in a fraction of Muon's time.
TINY = dataclasses.replace(
    MUON, optimiser="sgd", schedule="constant", learning_rate=1e-4, last_learning_rate=1e-4
)
HE = dataclasses.replace(TINY, initialiser="he")
RNG = np.random.default_rng(0)


def smooth(height, width, seed=0):
    """A grey image without extremes, uint8: bicubic resizing stays well inside [0, 1]."""
    coarse = np.random.default_rng(seed).uniform(0.35, 0.65, (height // 8 + 1, width // 8 + 1))
    return (255 * resize(coarse, (height, width))).astype(np.uint8)


def fresh(config, sizes="5-3-3", channels=1, seed=0):
    return jax.jit(training.make_learner(config, sizes, channels, 10).init)(jax.random.key(seed))


# --- Config ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"steps": 0}, "--steps must be at least 1, not 0"),
        ({"batch": 0}, "--batch must be at least 1, not 0"),
        ({"stride": -1}, "--stride must be at least 1, not -1"),
        ({"every": 0}, "--every must be at least 1, not 0"),
        ({"chunk": 0}, "--chunk must be at least 1, not 0"),
        ({"learning_rate": -1e-4}, "--learning-rate must be at least 0, not -0.0001"),
        ({"learning_rate": math.nan}, "--learning-rate must be at least 0, not nan"),
        ({"last_learning_rate": -1.0}, "--last-learning-rate must be at least 0"),
        ({"hardest": 0.0}, "--hardest must be above 0 and at most 1"),
        ({"hardest": 1.5}, "--hardest must be above 0 and at most 1"),
        ({"train": ()}, "--train needs at least one value"),
        ({"test": ()}, "--test needs at least one value"),
        ({"scales": ()}, "--scales needs at least one value"),
        ({"scales": (2, 3, 5)}, "scales are 2, 3 and 4, not 5"),
        ({"scales": (2, 3, 3)}, "--scales must be different"),
        ({"scales": (3,)}, "--scales must have 2"),
        ({"compared_scale": 4, "scales": (2, 3)}, "--scales must have 2"),
        ({"compared_scale": 1}, "scales are 2, 3 and 4, not 1"),
        ({"sizes": "9-4-5"}, "filter sizes are odd numbers such as 9-5-5, not '9-4-5'"),
        ({"compared": ("9-x-5",)}, "filter sizes are odd numbers such as 9-5-5, not '9-x-5'"),
        ({"sizes": "9-5-5-5"}, "9-5-5-5 has 4 layers, --widths says 3"),
        ({"compared": ("9-5",)}, "9-5 has 2 layers, --widths says 3"),
        ({"colors": Colors(sizes="9-1-1-5")}, "9-1-1-5 has 4 layers, --widths says 3"),
        ({"patch": 16}, "--patch 16 is too small for 9-5-5 without padding"),
        ({"colors": Colors(sizes="15-15-15")}, "--patch 33 is too small for 15-15-15"),
        ({"compared": ("9-5-5",)}, "--sizes and --compared must name different networks"),
        ({"studies": Studies(deeper=("9-15-9-5",))}, "--patch 33 is too small for 9-15-9-5"),
        ({"compared": ("9-1-5", "9-1-5")}, "--sizes and --compared must name different"),
        ({"widths": (64, 0)}, "--widths must be sizes above 0"),
        ({"widths": ()}, "--widths says 1"),
    ],
)
def test_an_impossible_value_is_one_line(changed, said):
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(PRESETS["paper"], **changed)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind, changed, said",
    [
        (Colors, {"steps": 1}, "--steps must be at least 2, not 1"),
        (Colors, {"sizes": "1-2-3"}, "filter sizes are odd numbers"),
        (SparseCoding, {"atoms": 3}, "--atoms must be at least 4, not 3"),
        (SparseCoding, {"samples": 15}, "--samples must be at least 16, not 15"),
        (SparseCoding, {"pool": 0}, "--pool must be at least 1, not 0"),
        (Studies, {"sizes": "9-5"}, "--studies.sizes has three layers, not 9-5"),
        (
            Studies,
            {"filters": (32, 64)},
            "--studies.filters must be two or more numbers, descending",
        ),
        (Studies, {"filters": (3, 1)}, "--studies.filters must be at least 2"),
        (Studies, {"deeper": ("9-1-5",)}, "--studies.deeper must have four layers each, not 9-1-5"),
    ],
)
def test_an_impossible_nested_value_too(kind, changed, said):
    with pytest.raises(ValueError, match=said):
        kind(**changed)


def test_the_smallest_patch_gives_one_pixel():
    config = dataclasses.replace(PRESETS["paper"], patch=17)
    net = SRCNN(sizes_of(config.sizes), config.widths)
    x = jnp.zeros((1, 17, 17, 1))
    assert jax.eval_shape(net.init_with_output, jax.random.key(0), x)[0].shape == (1, 1, 1, 1)


@pytest.mark.parametrize("name, sizes", [("9-5-5", (9, 5, 5)), ("1-3", (1, 3)), ("9-1-1-5", None)])
def test_filter_sizes_are_read_from_their_name(name, sizes):
    assert sizes_of(name) == (sizes or (9, 1, 1, 5))


@pytest.mark.parametrize("name", ["", "9", "9-", "9--5", "9-0-5", "9-5.0-5", "nine-5-5", "-9-5-5"])
def test_what_is_no_filter_sizes_is_refused(name):
    with pytest.raises(ValueError, match="filter sizes are odd numbers"):
        sizes_of(name)


def test_the_paper_preset_is_the_papers():
    config = PRESETS["paper"]
    assert config == Config()
    assert config.steps * config.batch == 8e8
    assert (config.learning_rate, config.last_learning_rate) == (1e-4, 1e-5)


# --- The optimiser ---------------------------------------------------------------------------

PARAMS = {f"conv{i}": {"kernel": np.zeros((3, 3, 2, 4)), "bias": np.zeros(4)} for i in (1, 2, 3)}
GRADIENTS = [
    jax.tree.map(lambda p: RNG.normal(size=p.shape).astype(np.float32), PARAMS) for _ in range(4)
]


def updates_of(config, steps=10):
    tx = training.make_optimiser(config, 3, steps)
    state, update = tx.init(PARAMS), jax.jit(tx.update)
    for gradients in GRADIENTS:
        updates, state = update(gradients, state, PARAMS)
        yield jax.device_get(updates)


def test_sgd_is_the_papers_rule_with_another_rate_for_the_last_layer():
    config = dataclasses.replace(
        TINY, optimiser="sgd", schedule="constant", learning_rate=0.2, last_learning_rate=0.05
    )
    delta = jax.tree.map(np.zeros_like, PARAMS)
    rates = {"conv1": 0.2, "conv2": 0.2, "conv3": 0.05}
    for t, (gradients, updates) in enumerate(zip(GRADIENTS, updates_of(config), strict=True)):
        for layer, rate in rates.items():
            for name, g in gradients[layer].items():
                delta[layer][name] = 0.9 * delta[layer][name] + rate * g
                np.testing.assert_allclose(
                    updates[layer][name], -delta[layer][name], rtol=1e-5, atol=1e-7
                )
                if t == 0:
                    np.testing.assert_allclose(updates[layer][name], -rate * g, rtol=1e-6)


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "muon"])
def test_the_last_layers_rate_is_its_own_under_every_rule(optimiser):
    config = dataclasses.replace(TINY, optimiser=optimiser, schedule="constant", learning_rate=0.1)
    one, other = (
        next(updates_of(dataclasses.replace(config, last_learning_rate=r))) for r in (0.1, 0.025)
    )
    for layer in PARAMS:
        for name in PARAMS[layer]:
            factor = 4 if layer == "conv3" else 1
            np.testing.assert_allclose(one[layer][name], factor * other[layer][name], rtol=1e-5)


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "muon"])
def test_a_cosine_rises_from_zero_and_falls_to_it(optimiser):
    config = dataclasses.replace(TINY, optimiser=optimiser, schedule="cosine")
    sizes = [np.abs(u["conv1"]["kernel"]).max() for u in updates_of(config, steps=4)]
    # Of 4 updates none warms up: the first has the whole rate, and the rate ends at 0.
    assert sizes[0] > 0 and sizes[3] < sizes[0]
    sizes = [np.abs(u["conv1"]["kernel"]).max() for u in updates_of(config, steps=20)]
    assert sizes[0] == 0 and sizes[1] > 0


# --- The loss --------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.0, 2.0)])
def test_the_loss_is_the_sum_over_pixels_of_the_centre(weights):
    channels = len(weights)
    learner = training.make_learner(TINY, "5-3-3", channels, 10)
    params = jax.tree.map(jnp.zeros_like, fresh(TINY, channels=channels))
    params["conv3"]["bias"] = jnp.full(channels, 0.25)  # the output everywhere
    truth = RNG.integers(0, 256, (4, 13, 13, channels), np.uint8)
    corners = np.stack([np.arange(4), np.zeros(4), np.zeros(4)], axis=1).astype(np.int32)
    data = Patches(jnp.zeros(truth.shape), jnp.asarray(truth), jnp.asarray(corners))
    state = init_state(params, learner.tx)
    _, metrics = jax.jit(learner.step)(state, (data, jnp.array(weights)), jax.random.key(1), 0)
    error = (0.25 - truth[:, 4:9, 4:9] / 255) ** 2  # 13 - (4 + 2 + 2) = 5 pixels a side
    wanted = (error * np.array(weights)).sum(axis=(1, 2, 3)).mean()
    assert float(metrics["loss"]) == pytest.approx(wanted, rel=1e-5)
    assert float(metrics["mse"]) == pytest.approx(error.mean(), rel=1e-5)


# --- The hardest patches ---------------------------------------------------------------------


def with_errors(errors, size=9, margin=4, outside=0.0):
    """Patches, an image each: bicubic is wrong by `errors` in the middle, by `outside` around it."""
    bicubic = np.full((len(errors), size, size, 1), outside, np.float32)
    m = margin // 2
    bicubic[:, m:-m, m:-m] = np.reshape(errors, (-1, 1, 1, 1))
    corners = np.zeros((len(errors), 3), np.int32)
    corners[:, 0] = np.arange(len(errors))
    truth = np.zeros(bicubic.shape, np.uint8)
    return Patches(*map(jnp.asarray, (bicubic, truth, corners)))


@pytest.mark.parametrize(
    "fraction, kept",
    [(0.5, [1, 3, 4]), (1 / 3, [1, 4]), (0.01, [4]), (0.9, [0, 1, 3, 4, 5]), (1, range(6))],
)
def test_the_hardest_patches_are_kept_in_their_order(fraction, kept):
    data = with_errors([0.1, -0.5, 0.0, 0.3, 0.9, 0.2])
    found = training.hardest(data, fraction, 9, 4)
    np.testing.assert_array_equal(found.corners, np.asarray(data.corners)[list(kept)])
    assert found.bicubic is data.bicubic and found.truth is data.truth
    assert fraction < 1 or found is data


def test_only_what_the_network_answers_for_counts():
    inside = with_errors([0.2, 0.3])
    outside = with_errors([0.0], outside=0.9)
    data = Patches(
        *(jnp.concatenate([a, b]) for a, b in zip(inside, outside, strict=True))
    )._replace(corners=jnp.array([[2, 0, 0], [0, 0, 0], [1, 0, 0]], jnp.int32))
    found = training.hardest(data, 0.5, 9, 4)
    np.testing.assert_array_equal(found.corners, [[0, 0, 0], [1, 0, 0]])


def test_more_patches_than_are_looked_at_together_are_ranked_together():
    image = np.zeros((1, 70, 70, 1), np.float32)
    image[0, 65, 40] = 1.0  # among the last patches
    image[0, 3, 5] = 0.5
    corners = patches([pair(smooth(70, 70), 2)], size=3, stride=1).corners
    assert len(corners) > 4096
    data = Patches(jnp.asarray(image), jnp.zeros(image.shape, jnp.uint8), corners)
    found = training.hardest(data, 18 / len(corners), 3, 0)
    wanted = [[0, y + i, x + j] for y, x in ((1, 3), (63, 38)) for i in range(3) for j in range(3)]
    np.testing.assert_array_equal(found.corners, wanted)


# --- Starting as the identity ----------------------------------------------------------------


@pytest.mark.parametrize("sizes, channels", [("5-3-3", 1), ("5-3-3", 3), ("9-1-3", 1)])
def test_with_an_identity_path_alone_the_output_is_the_centre_of_the_input(sizes, channels):
    params = training.with_identity_path(fresh(HE, sizes, channels), others=0.0)
    image = RNG.random((2, 13, 13, channels), np.float32)
    net = SRCNN(sizes_of(sizes), HE.widths, channels)
    output = jax.jit(net.apply)({"params": params}, image)
    np.testing.assert_array_equal(output, centre_crop(image, output.shape[1]))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_identity_start_is_near_the_input_and_hes_is_not(channels):
    image = np.stack([smooth(30, 30, seed=s) for s in range(3)], axis=2)[..., :channels]
    image = image / np.float32(255)
    upscale = training.upscaler((5, 3, 3), TINY.widths, channels)
    near, far = (
        float(jnp.sqrt(jnp.square(upscale(fresh(c, channels=channels), image) - image).mean()))
        for c in (TINY, HE)
    )
    assert near < 0.15 and near < far / 2


def test_the_identity_path_leaves_the_other_filters_as_they_were():
    params = fresh(HE)
    made = training.with_identity_path(params, others=0.5)
    for name in ("conv1", "conv2"):
        np.testing.assert_array_equal(
            made[name]["kernel"][..., 1:], params[name]["kernel"][..., 1:]
        )
        assert np.count_nonzero(made[name]["kernel"][..., 0]) == 1
    last, before = made["conv3"]["kernel"], params["conv3"]["kernel"]
    np.testing.assert_array_equal(last[:, :, 1:], 0.5 * before[:, :, 1:])


# --- Training --------------------------------------------------------------------------------

FEW = patches([pair(smooth(39, 39), 3)], size=13, stride=13)
"""Nine patches."""


def trained(config, data=FEW, steps=100, seeds=(0,), name="few", **options):
    keys = root_keys(seeds)
    return training.train_network(
        name, config, data, keys, Watch(), sizes="5-3-3", steps=steps, **options
    )


def test_few_patches_are_learned_by_heart():
    texture = (255 * resize(RNG.random((13, 13)), (27, 27)).clip(0, 1)).astype(np.uint8)
    data = patches([pair(texture, 3)], size=13, stride=13)
    config = dataclasses.replace(MUON, initialiser="he", widths=(24, 12), chunk=100, every=100)
    losses = [row["loss"][0] for row in trained(config, data, steps=300).history]
    bicubic, truth = (centre_crop(x, 5) for x in take(data, jnp.arange(4), 13))
    of_bicubic = float(jnp.square(bicubic - truth).sum(axis=(1, 2, 3)).mean())
    assert losses[0] > of_bicubic > 10 * losses[-1], (losses, of_bicubic)


def test_the_step_is_compiled_once_for_all_phases_seeds_and_chunks(monkeypatch):
    chex.clear_trace_counter()
    config = dataclasses.replace(TINY, augment=True, hardest=1.0)
    learner = training.make_learner(config, "5-3-3", 3, 20)
    assert training.make_learner(config, "5-3-3", 3, 20) is learner
    counted = learner._replace(step=chex.assert_max_traces(learner.step, n=1))
    monkeypatch.setattr(training, "make_learner", lambda *about: counted)
    data = patches([pair(smooth(39, 39), 3, "ycbcr")], size=13, stride=13)
    one = trained(config, data, 20, (0, 1), channels=(1.0, 0.0, 0.0))
    assert len(one.history) == 2
    two = trained(config, data, 20, channels=(1.0, 1.0, 1.0), start=first_of(one.state.params))
    assert len(two.history) == 2


def first_of(stacked):
    return jax.tree.map(lambda x: x[:1], stacked)


def test_seeds_differ_the_same_seed_does_not_and_the_name_counts():
    two = trained(TINY, steps=10, seeds=(0, 1)).state.params
    again = trained(TINY, steps=10, seeds=(1,)).state.params
    chex.assert_trees_all_equal(member(two, 1), member(again, 0))
    other = trained(TINY, steps=10, seeds=(1,), name="other").state.params
    kernels = [np.asarray(p["conv1"]["kernel"]) for p in (two, other)]
    assert not np.array_equal(kernels[0][0], kernels[0][1])
    assert not np.array_equal(kernels[0][1], kernels[1][0])


@pytest.mark.parametrize("optimiser", ["sgd", "muon"])
def test_channels_that_do_not_count_leave_their_filters_alone(optimiser):
    config = dataclasses.replace(
        TINY if optimiser == "sgd" else MUON, schedule="constant", learning_rate=1e-3
    )
    color = np.stack([smooth(39, 39, seed=s) for s in range(3)], axis=2)
    data = patches([pair(color, 3, "ycbcr")], size=13, stride=13)
    learner = training.make_learner(config, "5-3-3", 3, 10)
    before = jax.jit(jax.vmap(learner.init))(root_keys((0,)))["conv3"]
    for strategy, counted, others in (
        ("y_pretrained", [0], [1, 2]),
        ("cbcr_pretrained", [1, 2], [0]),
    ):
        alone, together = ablations.STRATEGIES[strategy][1]
        assert [i for i, weight in enumerate(alone) if weight] == counted
        assert together == (1.0, 1.0, 1.0)
        after = trained(config, data, 10, channels=alone).state.params["conv3"]
        for name in ("kernel", "bias"):
            np.testing.assert_array_equal(after[name][..., others], before[name][..., others])
            for channel in counted:
                assert np.any(after[name][..., channel] != before[name][..., channel])


def test_augmenting_turns_patches_and_does_not_choose_others():
    config = dataclasses.replace(TINY, patch=12, stride=12, batch=1)
    configs = [dataclasses.replace(config, augment=a) for a in (False, True)]
    flat = [np.full((12, 12), level, np.uint8) for level in (90, 150)]  # all turns are one
    for images, alike in ((flat, True), ([smooth(12, 12, seed=s) for s in (0, 1)], False)):
        data = patches([pair(x, 2) for x in images], size=12, stride=12)
        one, other = (trained(c, data, 10).history[0]["loss"][0] for c in configs)
        assert (one == pytest.approx(other, rel=1e-3)) == alike


def test_bfloat16_trains_too_and_keeps_its_parameters_in_float32():
    found = trained(dataclasses.replace(TINY, precision="bfloat16"), steps=10)
    assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(found.state.params))
    assert np.isfinite(found.history[-1]["loss"]).all()


# --- Beyond the paper ------------------------------------------------------------------------


def stacked(*trees):
    return jax.tree.map(lambda *xs: jnp.stack(xs), *trees)


def part(function, config, test, params, train=()):
    """What a part finds with `params` for Table 2's networks, and 20 dB for bicubic."""
    data = Data(list(train), {"set": test}, [], {})
    seeds = len(jax.tree.leaves(params)[0])
    trained = Result({}, weights={f"x{scale}": (params, {}) for scale in (2, 3, 4)})
    levels = {f"bicubic_psnr_set_x{scale}": 20.0 for scale in (2, 3, 4)}
    needs = {"table_2": trained, "bicubic": Result(levels)}
    return function(config, root_keys(range(seeds)), data, Watch(), needs)


def test_the_identity_gains_by_doubling_what_bicubic_by_steps_gains():
    config, same = HE, training.with_identity_path(fresh(HE), others=0.0)
    doubled = jax.tree.map(lambda x: x, same)
    doubled["conv3"] = {**same["conv3"], "bias": same["conv3"]["bias"] + 0.05}
    image = smooth(70, 64)
    result = part(beyond.repeated, config, {"image": image}, stacked(same, doubled))
    truth = modcrop(planes(image), 16)
    exact = truth / np.float32(255)
    for doublings, factor in enumerate((2, 4, 8, 16), start=1):
        small = resize(exact, (64 // factor, 64 // factor))
        at_once, steps = resize(small, (64, 64)), small
        for _ in range(doublings):
            steps = resize(steps, (2 * steps.shape[0], 2 * steps.shape[1]))
        wanted = shaved_psnr(steps, truth, factor) - shaved_psnr(at_once, truth, factor)
        gain, worse = result.metrics[f"repeated_gain_x{factor}"]
        assert gain == pytest.approx(float(wanted), abs=1e-3)
        assert worse < gain - 1, "a brighter image at every doubling"
        np.testing.assert_allclose(result.arrays[f"repeated_x{factor}"], steps[..., 0], atol=1e-5)
    np.testing.assert_array_equal(result.arrays["repeated_truth"], exact[..., 0])
    kept, lost = result.metrics["repeated_gain_kept"]
    assert math.isnan(kept), "of no gain nothing can be kept"
    last, first = (result.metrics[f"repeated_gain_x{n}"][1] for n in (16, 2))
    assert lost == pytest.approx(last / first)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_twins_differ_and_shrink_alike(scale):
    config = dataclasses.replace(TINY, compared_scale=scale, scales=(2, 3, 4))
    params = stacked(fresh(config))
    image = RNG.integers(0, 256, (110, 100), np.uint8)
    result = part(beyond.ill_posed, config, {"image": image}, params)
    a, b = result.arrays["twin_a"], result.arrays["twin_b"]
    assert a.shape == b.shape == (96, 96)
    assert min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1
    np.testing.assert_allclose(a, 0.2 + 0.6 * image[7:103, 2:98] / 255, atol=1e-12)
    smalls = [resize(x, (96 // scale, 96 // scale)) for x in (a, b)]
    np.testing.assert_allclose(*smalls, atol=1e-12)
    np.testing.assert_allclose(result.arrays["twin_small"], smalls[0], atol=1e-12)
    assert result.metrics["twins_shrunk_differ"] < 1e-9
    differ = result.metrics["twins_differ"]
    assert differ == pytest.approx(255 * np.sqrt(((a - b) ** 2).mean())) and differ > 10
    bicubic = resize(smalls[0].astype(np.float32)[..., None], (96, 96))
    answer = training.upscaler((5, 3, 3), config.widths)(member(params, 0), bicubic)
    np.testing.assert_allclose(result.arrays["twin_answer"], answer[..., 0], atol=1e-5)


# --- Colour ----------------------------------------------------------------------------------


def test_with_y_alone_colours_are_bicubic():
    image = np.stack([smooth(36, 36, seed=s) for s in range(3)], axis=2)
    y, both = (
        ablations._color_psnr(image, 3, lambda bicubic: bicubic, which) for which in ("y", "ycbcr")
    )
    assert y == both
    made = pair(image, 3, "ycbcr")
    for i, channel in enumerate(("y", "cb", "cr")):
        wanted = shaved_psnr(made.bicubic[..., i], made.truth[..., i], 3)
        assert y[channel] == pytest.approx(float(wanted))
    brighter = ablations._color_psnr(image, 3, lambda bicubic: bicubic + 0.1, "y")
    assert brighter["y"] < y["y"] - 5 and brighter["rgb"] < y["rgb"] - 5
    assert (brighter["cb"], brighter["cr"]) == (y["cb"], y["cr"])


def test_rgb_is_scored_as_rgb_and_by_its_channels():
    image = np.stack([smooth(36, 36, seed=s) for s in range(3)], axis=2)
    found = ablations._color_psnr(image, 3, lambda bicubic: bicubic, "rgb")
    made = pair(image, 3, "rgb")
    assert found["rgb"] == pytest.approx(float(shaved_psnr(made.bicubic, made.truth, 3)))
    seen = np.clip(np.round(np.asarray(made.bicubic, np.float64) * 255), 0, 255) / 255
    as_planes = skimage.color.rgb2ycbcr(seen) / 255
    truth = pair(image, 3, "ycbcr").truth
    for i, channel in enumerate(("y", "cb", "cr")):
        wanted = shaved_psnr(as_planes[..., i].astype(np.float32), truth[..., i], 3)
        assert found[channel] == pytest.approx(float(wanted), abs=0.01)
    own = ablations._color_psnr(image, 3, lambda bicubic: bicubic, "ycbcr")
    assert any(abs(found[c] - own[c]) > 0.02 for c in ("y", "cb", "cr")), "and not by Y, Cb and Cr"


# --- The arms of the comparisons ----------------------------------------------------------------

ARMS = dataclasses.replace(TINY, train=("set",), test=("set",), colors=Colors(20, "5-1-3"))
NONE = {"conv1": {"bias": np.zeros((1, 1))}}
"""No network; of one seed."""
COLOR = [np.stack([smooth(39, 39, seed=i + s) for s in range(3)], axis=2) for i in range(2)]


@pytest.fixture
def trainings(monkeypatch):
    """What `train_network` is asked for, in order; it gives back zeros at once."""
    asked = {}

    def train_network(name, config, data, keys, watch, *, sizes, steps, channels=(1.0,), **others):
        init = training.make_learner(config, sizes, len(channels), steps).init
        shapes = jax.eval_shape(init, jax.random.key(0))
        params = jax.tree.map(lambda x: jnp.zeros((len(keys), *x.shape)), shapes)
        others |= {"sizes": sizes, "steps": steps, "channels": channels}
        asked[name] = {**others, "data": data, "keys": keys, "config": config, "params": params}
        return Trained(init_state(params, optax.sgd(0.1)), [{"step": steps, "psnr": [20.0]}])

    monkeypatch.setattr(ablations, "train_network", train_network)
    monkeypatch.setattr(experiment, "train_network", train_network)
    return asked


def test_each_strategy_of_table_5_sees_and_counts_the_channels_of_its_name(trainings, monkeypatch):
    nothing = dict.fromkeys(("y", "cb", "cr", "rgb"), 0.0)
    monkeypatch.setattr(ablations, "_mean_psnr", lambda *about: nothing)
    part(ablations.table_5, ARMS, {"a": COLOR[0]}, NONE, COLOR)
    y, cb_cr, three = (1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (1.0, 1.0, 1.0)
    wanted = {
        "color-y-1": ("y", (1.0,), 20, None),
        "color-ycbcr-1": ("ycbcr", three, 20, None),
        "color-y_pretrained-1": ("ycbcr", y, 10, None),
        "color-y_pretrained-2": ("ycbcr", three, 10, "color-y_pretrained-1"),
        "color-cbcr_pretrained-1": ("ycbcr", cb_cr, 10, None),
        "color-cbcr_pretrained-2": ("ycbcr", three, 10, "color-cbcr_pretrained-1"),
        "color-rgb-1": ("rgb", three, 20, None),
    }
    assert trainings.keys() == wanted.keys()
    for name, (which, channels, steps, before) in wanted.items():
        asked = trainings[name]
        assert (asked["channels"], asked["steps"], asked["sizes"]) == (channels, steps, "5-1-3")
        assert asked["start"] is (trainings[before]["params"] if before else None)
        for image, truth, bicubic in zip(COLOR, asked["data"].truth, asked["data"].bicubic):
            made = pair(image, 3, which)
            np.testing.assert_array_equal(truth, made.truth)
            np.testing.assert_array_equal(bicubic, made.bicubic)


def test_networks_of_section_4_3_2_differ_in_their_filters_and_in_nothing_else(trainings):
    data = Data([smooth(39, 39)], {"set": {"a": smooth(48, 48)}}, [], {})
    keys = root_keys((0, 1))
    experiment.train_scale(ARMS, 3, keys, data, Watch())
    main = trainings["5-3-3-x3"]
    config = dataclasses.replace(ARMS, compared=("5-1-3", "3-3-3"))
    same = stacked(*[training.with_identity_path(fresh(HE), others=0.0)] * 2)
    result = part(ablations.section_4_3_2, config, data.test["set"], same, data.train)
    for sizes in config.compared:
        asked = trainings[f"{sizes}-x3"]
        assert asked["sizes"] == sizes and asked["steps"] == main["steps"] == config.steps
        chex.assert_trees_all_equal(asked["data"], main["data"])
        np.testing.assert_array_equal(*(jax.random.key_data(t["keys"]) for t in (asked, main)))
        kernels = [layer["kernel"].shape[1] for layer in asked["params"].values()]
        assert kernels == list(sizes_of(sizes))
        ours, theirs = (
            np.array(result.metrics[f"filters_{s}_psnr_set_x3"]) for s in ("5-3-3", sizes)
        )
        np.testing.assert_allclose(
            result.metrics[f"filters_gain_over_{sizes}_set_x3"], ours - theirs
        )
        np.testing.assert_allclose(
            result.metrics[f"filters_{sizes}_over_bicubic_set_x3"], theirs - 20
        )
        assert np.all(ours != theirs) and result.metrics[f"seconds_{sizes}"] > 0
    image = pair(data.test["set"]["a"], 3)  # the given network changes nothing
    wanted = float(shaved_psnr(image.bicubic, image.truth, 3))
    assert result.metrics["filters_5-3-3_psnr_set_x3"] == pytest.approx([wanted] * 2)


def test_sparse_coding_learns_from_the_networks_images_at_its_scale(trainings, monkeypatch):
    learned = []
    monkeypatch.setattr(experiment, "tests_of", lambda data, scale: {"set": {"a": None}})
    monkeypatch.setattr(experiment, "scores", lambda *about: {})
    monkeypatch.setattr(
        classical,
        "learn",
        lambda pairs, **about: (
            learned.append(pairs) or classical.Dictionaries(*np.zeros((3, 2, 2)))
        ),
    )
    data = Data([smooth(39, 39), smooth(42, 36, seed=1)], {"set": {}}, [], {})
    experiment.sparse_coding(ARMS, root_keys((0,)), data, Watch(), {})
    experiment.train_scale(ARMS, 3, root_keys((0,)), data, Watch())
    seen = trainings["5-3-3-x3"]["data"]
    assert len(learned[0]) == 2
    for i, (truth, bicubic, scale) in enumerate(learned[0]):
        where = (i, *(slice(side) for side in truth.shape))
        np.testing.assert_array_equal(seen.truth[where], truth)
        np.testing.assert_array_equal(seen.bicubic[where], bicubic)
        assert scale == 3


def test_what_figure_1_compares_is_the_same_images_psnr():
    rows = [{"step": 5, "psnr": [29.0, 31.0]}, {"step": 10, "psnr": [30.5, 32.0]}]
    needs = {
        "bicubic": Result({"bicubic_psnr_set_x3": 30.0}),
        "table_2": Result({"ours_psnr_set_x3": [30.5, 32.0]}, {"5-3-3-x3": rows}),
        "sparse_coding": Result({"sparse_psnr_set_x3": 31.0}),
    }
    data = Data([], {"set": {}, "other": {}}, [], {})
    result = experiment.figure_1(ARMS, root_keys((0, 1)), data, Watch(), needs)
    assert result.metrics == {
        "crossing": [1.0, 0.5],
        "lead_over_sparse_set_x3": [-0.5, 1.0],
        "lead_of_sparse_set_x3": 1.0,
    }


GREY = np.repeat(smooth(39, 39)[:, :, None], 3, axis=2)
"""Grey, stored as RGB: bicubic makes no error in its Cb and Cr."""


@pytest.mark.parametrize("image", [GREY, GREY[:, :, 0]], ids=["stored as RGB", "grey"])
def test_table_5_of_a_set_without_colour_has_infinities_and_a_figure(image, trainings):
    result = part(ablations.table_5, ARMS, {"a": image}, NONE, COLOR)
    assert result.metrics["color_bicubic_cb"] == result.metrics["color_y_cr"][0] == math.inf
    assert all(np.isfinite(result.metrics[f"color_{s}_y"]).all() for s in ablations.STRATEGIES)
    kept = {name: summarise(values) for name, values in result.metrics.items()}
    json.dumps(kept, allow_nan=False)
    figure = figures.FIGURES["table_5"].draw(result)
    assert "∞" in [text.get_text() for text in figure.axes[1].texts]
    figure.canvas.draw()


def test_an_image_without_colour_does_not_count_in_table_5(trainings):
    one, other = (
        part(ablations.table_5, ARMS, test, NONE, COLOR).metrics
        for test in ({"a": COLOR[0]}, {"grey": GREY, "a": COLOR[0], "flat": GREY[:, :, 0]})
    )
    assert one == other and math.isfinite(one["color_bicubic_cb"])
    assert list(in_color({"grey": GREY, "a": COLOR[0]})) == ["a"]


# --- Data ------------------------------------------------------------------------------------


def save_network(path, sizes=(3, 1, 3), widths=(2, 2)):
    """A network of the authors' kind that changes nothing."""
    (f1, f2, f3), (n1, n2) = sizes, widths
    arrays = {
        "weights_conv1": np.zeros((f1 * f1, n1)),
        "weights_conv2": np.zeros((n1, f2 * f2, n2)),
        "weights_conv3": np.zeros((n2, f3 * f3)),
    }
    arrays["weights_conv1"][f1 * f1 // 2, 0] = arrays["weights_conv2"][0, f2 * f2 // 2, 0] = 1
    arrays["weights_conv3"][0, f3 * f3 // 2] = 1
    arrays |= {f"biases_conv{i}": np.zeros((n, 1)) for i, n in enumerate((n1, n2, 1), start=1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, arrays)


@pytest.fixture
def authors(tmp_path):
    """A folder as the authors' archives make one."""
    for scale in (2, 3):
        save_network(tmp_path / "model" / "9-5-5(ImageNet)" / f"x{scale}.mat")
    save_network(tmp_path / "model" / "9-1-5(91 images)" / "x3.mat", (5, 3, 3))
    (tmp_path / "FSRCNN" / "FSRCNN-s").mkdir(parents=True)
    (tmp_path / "FSRCNN" / "FSRCNN-s" / "x3.mat").write_text("another paper's")
    return tmp_path


def test_the_authors_networks_are_loaded_and_scored_beside_ours(authors, srcnn_smoke):
    config = dataclasses.replace(SMOKE, weights=str(authors))
    data = experiment.load_data(config, only={"test", "authors"})
    assert [(net.name, net.scale) for net in data.authors] == [
        ("9-1-5(91 images)", 3),
        ("9-5-5(ImageNet)", 2),
        ("9-5-5(ImageNet)", 3),
    ]
    assert not data.train and PARTS["authors"].default(config)
    result = experiment.run(config, jax.random.key(0), data, only=("authors",))
    measures = ("psnr", "ssim", "ms_ssim", "ifc")
    assert result.metrics.keys() == {
        f"authors {net.name}_{m}_photographs_x{net.scale}" for net in data.authors for m in measures
    }
    for name, value in result.metrics.items():  # they change nothing, and so are bicubic
        wanted = srcnn_smoke[2].metrics[re.sub(r"^authors .+?_", "bicubic_", name)]
        assert value == pytest.approx(wanted, rel=1e-3)
    assert [words["name"] for words in result.data] == ["photographs"]


def test_a_folder_without_the_authors_weights_is_one_line(tmp_path):
    (tmp_path / "FSRCNN").mkdir()
    save_network(tmp_path / "FSRCNN" / "x3.mat")
    for folder in (tmp_path, tmp_path / "missing"):
        config = dataclasses.replace(SMOKE, weights=str(folder))
        with pytest.raises(UserError, match="holds no 9-5-5") as caught:
            experiment.load_data(config)
        assert str(folder) in str(caught.value) and caught.value.code == 2


def test_one_file_of_the_authors_will_do(authors):
    path = authors / "model" / "9-5-5(ImageNet)" / "x3.mat"
    config = dataclasses.replace(SMOKE, weights=str(path))
    (net,) = experiment.load_data(config, only={"authors"}).authors
    assert (net.name, net.scale) == ("9-5-5(ImageNet)", 3)
    with pytest.raises(UserError, match="are called x2.mat, x3.mat or x4.mat"):
        path = path.rename(path.with_name("best.mat"))
        experiment.load_data(dataclasses.replace(SMOKE, weights=str(path)), only={"authors"})


def test_damaged_weights_of_the_authors_are_named(authors):
    path = authors / "model" / "9-5-5(ImageNet)" / "x2.mat"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="x2.mat is not an SRCNN"):
        experiment.load_data(dataclasses.replace(SMOKE, weights=str(authors)))


def test_only_what_is_needed_is_loaded():
    data = experiment.load_data(SMOKE, only={"test"})
    assert not data.train and list(data.test) == ["photographs"] and not data.about["train"]
    data = experiment.load_data(SMOKE, only={"train"})
    assert len(data.train) == 3 and not data.test and not data.about["test"]
    assert [words["split"] for words in data.about["train"]] == ["train[:3]"]
    assert not PARTS["authors"].default(SMOKE)
    with pytest.raises(UserError, match="the part authors needs --weights"):
        experiment.load_data(SMOKE, only={"authors"})


def test_a_patch_larger_than_every_image_is_one_line():
    config = dataclasses.replace(SMOKE, patch=999)
    with pytest.raises(UserError, match="--patch 999: no training image is as large"):
        experiment.load_data(config)
    experiment.load_data(config, only={"test"})


def test_a_learning_curve_crosses_at_its_first_row_above():
    rows = [
        {"step": 1},
        {"step": 2, "psnr": [29.0, 31.0]},
        {"step": 3},
        {"step": 4, "psnr": [30.5, 29.0]},
        {"step": 8, "psnr": [30.0, 32.0]},
    ]
    assert experiment.crossing(rows, 0, 30.0) == 0.5
    assert experiment.crossing(rows, 1, 30.0) == 0.25
    assert experiment.crossing(rows, 0, 31.0) == 1


# --- The whole, on one smoke run -------------------------------------------------------------


def only(result, name):
    values = result.metrics[name]
    return values if isinstance(values, float) else values[0]


def test_every_claim_has_its_metric(srcnn_smoke):
    smoke = {
        "9-5-5": "5-3-3",
        "9-1-5": "5-1-3",
        "9-3-5": "5-1-3",
        "set5": "photographs",
        "x4": "x3",
    }
    default = [name for name, part in PARTS.items() if part.default(srcnn_smoke[0])]
    for claim in claims.CLAIMS:
        if claim.part not in {*default, "authors"}:  # see test_srcnn_studies
            continue
        for name in (claim.metric, *([claim.baseline.metric] if claim.baseline else [])):
            if not name.startswith("authors "):
                for theirs, here in smoke.items():
                    name = name.replace(theirs, here)
                assert name in srcnn_smoke[2].metrics, claim.id


def test_no_result_holds_for_arms_that_are_equal_or_a_curve_that_never_crosses():
    results = {claim.id: claim for claim in claims.CLAIMS if claim.kind == "result"}
    assert not results.pop("crosses-bicubic").met_by(1.0)
    fades = results.pop("repeated-fades")  # of no gain nothing is left: the baseline decides
    assert fades.baseline.metric == "repeated_gain_x2" and fades.baseline.target > 0
    for claim in [c for name, c in results.items() if name.startswith("deeper-")]:
        # No gain is what they claim: of a network that has learned, by more than no other makes.
        assert claim.holds_if == "at most" and not claim.met_by(0.02) and claim.baseline.target > 0
        del results[claim.id]
    assert len(results) > 10
    for claim in results.values():
        assert claim.holds_if == "at least" and not claim.met_by(0.02), claim.id


def test_the_authors_claims_name_what_their_folders_are_called():
    network = {}
    for claim in claims.AUTHORS:
        name, measure, dataset, scale = claim.metric.removeprefix("authors ").rsplit("_", 3)
        if measure == "ssim" and name.endswith("_ms"):
            name, measure = name.removesuffix("_ms"), "ms_ssim"
        assert dataset == "set5" and scale in ("x2", "x3", "x4")
        assert measure in ("psnr", "ssim", "ms_ssim", "ifc")
        network.setdefault(name, set()).add(scale)
    assert set(network) == {
        "9-5-5(ImageNet)",
        "9-3-5(ImageNet)",
        "9-1-5(ImageNet)",
        "9-1-5(91 images)",
    }


def test_a_smoke_run_decides_nothing(srcnn_smoke):
    _, data, result = srcnn_smoke
    about = {name: [d for s in part.data for d in data.about[s]] for name, part in PARTS.items()}
    metrics = {name: summarise(values) for name, values in result.metrics.items()}
    rows = judge(claims.CLAIMS, metrics, "smoke", about)
    json.dumps([metrics, rows], allow_nan=False)
    assert [d["split"] for d in result.data] == ["test[:1]", "train[:3]"]
    assert len(rows) == len(claims.CLAIMS) and all(row["verdict"] is None for row in rows)


def test_parts_alone_from_files_of_those_before_find_the_same_bit_for_bit(srcnn_smoke, tmp_path):
    config, data, whole = srcnn_smoke
    save_part(tmp_path / "all", whole, {})
    needs = dict.fromkeys(PARTS, load_part(tmp_path / "all")[0])
    for name in ("figure_14", "ill_posed", "repeated", "table_5", "section_4_3_2", "figure_1"):
        alone = experiment.PARTS[name](config, root_keys((0,)), data, Watch(), needs)
        for metric in alone.metrics.keys() - {"seconds_5-3-3", "seconds_5-1-3"}:
            assert alone.metrics[metric] == whole.metrics[metric], metric
        chex.assert_trees_all_equal(alone.arrays, {n: whole.arrays[n] for n in alone.arrays})
        assert alone.history == {name: whole.history[name] for name in alone.history}
        assert alone.metrics or alone.arrays


def test_a_run_of_one_part_loads_and_finds_what_it_needs(srcnn_smoke):
    config, _, whole = srcnn_smoke
    data = experiment.load_data(config, only=PARTS["sparse_coding"].data)
    result = experiment.run(config, jax.random.key(0), data, only=("sparse_coding",))
    names = [name for name in whole.metrics if name.startswith("sparse_")]
    assert len(names) == 4 and result.metrics == {name: whole.metrics[name] for name in names}
    assert len(result.arrays) == 3
    chex.assert_trees_all_equal(result.arrays, {n: whole.arrays[n] for n in result.arrays})


def test_gains_are_differences_of_what_is_reported(srcnn_smoke):
    result = srcnn_smoke[2]
    for scale in (2, 3):
        ours, bicubic = (
            only(result, f"{who}_psnr_photographs_x{scale}") for who in ("ours", "bicubic")
        )
        assert only(result, f"gain_photographs_x{scale}") == pytest.approx(ours - bicubic)
    for name, larger, smaller in (
        (
            "lead_over_sparse_photographs_x3",
            "ours_psnr_photographs_x3",
            "sparse_psnr_photographs_x3",
        ),
        (
            "lead_of_sparse_photographs_x3",
            "sparse_psnr_photographs_x3",
            "bicubic_psnr_photographs_x3",
        ),
        ("color_y_over_bicubic_photographs_x3", "color_y_y", "color_bicubic_y"),
        ("color_y_over_ycbcr_photographs_x3", "color_y_y", "color_ycbcr_y"),
        ("color_rgb_over_y_photographs_x3", "color_rgb_rgb", "color_y_rgb"),
    ):
        assert only(result, name) == pytest.approx(only(result, larger) - only(result, smaller))
    assert only(result, "filters_5-3-3_psnr_photographs_x3") == pytest.approx(
        only(result, "ours_psnr_photographs_x3")
    )
    # The x2 network doubled once is the x2 network; its images are cut to multiples of 16 here.
    assert only(result, "repeated_gain_x2") == pytest.approx(
        only(result, "gain_photographs_x2"), abs=0.02
    )
    assert only(result, "repeated_gain_kept") == pytest.approx(
        only(result, "repeated_gain_x16") / only(result, "repeated_gain_x2")
    )


def test_the_learning_curves_end_where_the_networks_score(srcnn_smoke):
    config, _, result = srcnn_smoke
    for scale in (2, 3):
        rows = result.history[f"5-3-3-x{scale}"]
        assert [row["step"] for row in rows if "psnr" in row] == [30, 60]
        wanted = only(result, f"ours_psnr_photographs_x{scale}")
        assert rows[-1]["psnr"][0] == pytest.approx(wanted, abs=1e-3)
    assert result.history["5-1-3-x3"][-1]["psnr"][0] == pytest.approx(
        only(result, "filters_5-1-3_psnr_photographs_x3")
    )
    colors = {name: rows for name, rows in result.history.items() if name.startswith("color-")}
    for strategy, (_, phases) in ablations.STRATEGIES.items():
        for phase in range(1, len(phases) + 1):
            rows = colors.pop(f"color-{strategy}-{phase}")
            assert rows[-1]["step"] == config.colors.steps // len(phases)
    assert not colors


def test_the_kept_weights_score_what_is_reported(srcnn_smoke):
    config, data, result = srcnn_smoke
    assert result.weights.keys() == {"x2", "x3"}
    for scale in (2, 3):
        stacked, about = result.weights[f"x{scale}"]
        params = member(stacked, 0)
        assert about == {
            "paper": "srcnn",
            "sizes": "5-3-3",
            "scale": str(scale),
            "trained on": "photographs[:3]",
        }
        assert all(isinstance(x, np.ndarray) and len(x) == 1 for x in jax.tree.leaves(stacked))
        upscale = training.upscaler(sizes_of(config.sizes), config.widths)
        images = experiment.tests_of(data, scale)["photographs"].values()
        found = mean_psnr(lambda b, p=params, f=upscale: f(p, b), images)
        assert found == pytest.approx(only(result, f"ours_psnr_photographs_x{scale}"), abs=1e-3)


def test_even_a_smoke_run_is_better_than_bicubic(srcnn_smoke):
    result = srcnn_smoke[2]
    assert only(result, "gain_photographs_x2") > 0.2 and only(result, "gain_photographs_x3") > 0
    assert only(result, "twins_differ") > 10 and only(result, "twins_shrunk_differ") < 0.01
