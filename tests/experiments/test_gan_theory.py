"""What the GAN experiment says about the paper's theory, its toys and its schedules."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from experiments.gan import ring, theory
from experiments.gan.config import CLAIMS, PARTS, PRESETS, Ring
from experiments.gan.experiment import digit_walks, make_game
from lib.metrics.parzen import PAPER_SIGMAS
from lib.steps.adversarial import Players
from lib.steps.optimizers import ClassicalMomentumState

# --- Section 4 -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_theorem_1_holds_to_the_rounding_of_float32(seed):
    assert 0 <= theory.theorem_1_error(jax.random.key(seed)) < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_proposition_2_the_criterion_falls_to_its_minimum_without_ever_rising(seed):
    curve = np.asarray(theory.criterion_curve(jax.random.key(seed)))
    assert curve.shape == (2000,)
    assert curve[0] > 0.05, "the start should not be the end"
    assert np.diff(curve).max() < 1e-6
    assert abs(curve[-1]) < 1e-5


# --- The one-dimensional game ----------------------------------------------------------------


def test_the_data_are_beta_2_2_and_lie_on_the_grid():
    law = scipy.stats.beta(2, 2, loc=-0.5, scale=3)
    found = np.asarray(theory.data_density(theory.GRID))
    np.testing.assert_allclose(found, law.pdf(theory.GRID), rtol=1e-4, atol=1e-6)
    assert abs(np.trapezoid(found, theory.GRID) - 1) < 1e-3
    points = np.asarray(theory.draw(jax.random.key(0), 20, 100, 1))
    assert (
        points.shape == (20, 100, 1) and scipy.stats.kstest(points.ravel(), law.cdf).pvalue > 0.01
    )


def test_the_generator_density_of_an_affine_generator_is_uniform():
    """G(z) = 3 z - 1 with z ~ U(0, 1): p_g is 1/3 on [-1, 2], smoothed by a Gaussian."""
    width = 0.05
    players = Players(noise=None, generate=lambda p, z: p[0] * z + p[1], discriminate=None)
    density = jax.jit(lambda p: theory.generator_density(players, p, width=width))
    found = np.asarray(density(jnp.array([3.0, -1.0])))
    edge = scipy.stats.norm(0, width).cdf
    wanted = (edge(theory.GRID + 1.0) - edge(theory.GRID - 2.0)) / 3
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert abs(np.trapezoid(found, theory.GRID) - 1) < 1e-3
    np.testing.assert_allclose(found[(theory.GRID > -0.7) & (theory.GRID < 1.7)], 1 / 3, rtol=1e-3)


# --- The ring --------------------------------------------------------------------------------


def test_the_ring_has_eight_distinct_centres_evenly_spaced_at_radius_two():
    """The demo's angles include both 0 and 2 pi: two of its modes coincide."""
    centres = np.asarray(ring.centres(Ring()))
    assert centres.shape == (8, 2)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2, rtol=1e-6)
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    nearest = np.sort(distances, axis=1)[:, 1:3]  # both neighbours: sides of an octagon
    np.testing.assert_allclose(nearest, 2 * 2 * math.sin(math.pi / 8), rtol=1e-5)


def test_draws_fall_on_all_modes_alike_with_the_configured_spread():
    config = Ring()
    points = np.asarray(ring.draw(config, jax.random.key(0), 4000))
    from_centres = points[:, None] - np.asarray(ring.centres(config))[None]
    mode = np.linalg.norm(from_centres, axis=-1).argmin(axis=1)
    offsets = from_centres[np.arange(4000), mode]
    np.testing.assert_allclose(offsets.std(axis=0), 0.02, rtol=0.05)
    assert np.abs(offsets.mean(axis=0)).max() < 0.002
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.06
    assert scipy.stats.chisquare(np.bincount(mode, minlength=8)).pvalue > 0.01


def test_the_ring_s_networks_are_those_of_the_papers_appendix():
    """G: two rectified layers; D: one, behind a division by 4; orthogonal with gain 0.8. In NumPy."""
    game = ring.make_game(Ring(noise=6, hidden=5))
    state = jax.jit(game.init)(jax.random.key(0))
    g, d = (jax.tree.map(np.asarray, p) for p in (state.generator, state.discriminator))
    assert [*g] == ["Dense_0", "Dense_1", "Dense_2"] and [*d] == ["Dense_0", "Dense_1"]
    for layer in (*g.values(), *d.values()):
        w = layer["kernel"]
        small = w.T @ w if len(w) >= w.shape[1] else w @ w.T
        np.testing.assert_allclose(small, 0.64 * np.eye(len(small)), atol=1e-5)

    def forward(params, h):
        *hidden, last = params.values()
        for layer in hidden:
            h = np.maximum(h @ layer["kernel"] + layer["bias"], 0)
        return h @ last["kernel"] + last["bias"]

    z = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    x = np.asarray(game.players.generate(g, z))
    np.testing.assert_allclose(x, forward(g, z), rtol=1e-4, atol=1e-5)
    logits = np.asarray(game.players.discriminate(d, 100 * x, None))
    np.testing.assert_allclose(logits, forward(d, 25 * x)[:, 0], rtol=1e-4, atol=1e-4)


# --- The released schedules ------------------------------------------------------------------

EPOCH = 500
"""Updates in an epoch of 50 000 images, 100 at a time."""


@pytest.fixture(scope="module")
def released():
    """`(learning rate, momentum)` of both players at updates `[n]`, seen through what they do.

    The rule is v <- m v - lr g: a gradient of one on no velocity shows lr, a velocity of one
    without a gradient shows m.
    """
    game = make_game(PRESETS["paper"], np.full((100 * EPOCH, 2), 128, np.uint8))

    @jax.jit
    @jax.vmap
    def at(count):
        def velocity(tx, gradient, before):
            state = ClassicalMomentumState(count, before)
            return tx.update(gradient, state)[0]

        players = (game.generator_tx, game.discriminator_tx)
        one, zero = jnp.ones(()), jnp.zeros(())
        return [(-velocity(tx, one, zero), velocity(tx, zero, one)) for tx in players]

    def of(*counts):
        generator, discriminator = at(jnp.array(counts, jnp.int32))
        np.testing.assert_array_equal(generator, discriminator)
        return [np.asarray(x) for x in generator]

    return of


def test_the_learning_rate_is_divided_after_every_update_down_to_its_floor(released):
    counts = np.array([0, 1, 1000, 125_000, 1_000_000])
    found, _ = released(*counts)
    np.testing.assert_allclose(found, 0.1 / 1.000004 ** counts.astype(float), rtol=1e-5)
    assert round(float(found[3]), 4) == 0.0607
    np.testing.assert_allclose(released(5_000_000)[0], 1e-6, rtol=1e-6)


def test_the_momentum_rises_linearly_from_the_first_epoch_to_the_250th(released):
    first, half_way, last = 0, 124 * EPOCH, 249 * EPOCH  # where epochs 1, 125 and 250 begin
    _, found = released(first, first + EPOCH - 1, half_way, last - 1, last, 4 * last)
    wanted = [0.5, 0.5, 0.5 + 0.2 * 124 / 249, 0.5 + 0.2 * 248 / 249, 0.7, 0.7]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


# --- Figure 3 --------------------------------------------------------------------------------


def test_walks_are_straight_even_lines_between_the_noise_that_gives_the_surest_digits():
    z = np.random.default_rng(0).normal(size=(30, 10)).astype(np.float32)
    # A generator that shows its noise, and a classifier whose logits are what it is shown.
    walks = digit_walks(lambda params, z: z, None, jnp.asarray(z), lambda x: x)
    sure = scipy.special.softmax(z.astype(np.float64), axis=1)
    one, five, seven, nine = (z[sure[:, digit].argmax()] for digit in (1, 5, 7, 9))
    steps = np.linspace(0, 1, 9)[:, None]
    wanted = {
        "walk_1_5": one + steps * (five - one),
        "walk_7_9_1": np.concatenate(
            [seven + steps[::2] * (nine - seven), nine + steps[2::2] * (one - nine)]
        ),
    }
    assert walks.keys() == wanted.keys()
    for name, line in wanted.items():
        assert walks[name].shape == line.shape, name
        np.testing.assert_allclose(walks[name], line, rtol=1e-5, atol=1e-5)


# --- One smoke run ---------------------------------------------------------------------------


def test_every_metric_is_finite_and_every_claim_finds_its_own(gan_smoke):
    config, _, result = gan_smoke
    for name, values in result.metrics.items():
        assert np.all(np.isfinite(values)), name
        of_no_seed = name == "classifier_accuracy" or PARTS["references"].makes(name)
        wanted = None if of_no_seed else 1
        assert (None if isinstance(values, float) else len(values)) == wanted, name
    assert {claim.metric for claim in CLAIMS} <= result.metrics.keys()


def test_the_metrics_lie_where_they_must(gan_smoke):
    metrics = {name: np.asarray(values) for name, values in gan_smoke[2].metrics.items()}
    assert 1 <= metrics["mnist_score"] <= 10
    assert 0.8 < metrics["classifier_accuracy"] <= 1
    assert np.isclose(metrics["parzen_sigma"][:, None], [PAPER_SIGMAS]).any()
    gain = metrics["parzen"] - metrics["parzen_untrained"]
    np.testing.assert_allclose(metrics["parzen_gain"], gain, rtol=1e-4)
    assert metrics["parzen_stderr"] > 0
    assert metrics["theorem_1_error"] < 1e-6
    # Of what nobody trained, the annulus: area within three sigma of a mode, and within half way to the next.
    assert metrics["ring_modes_annulus"] == 0 and metrics["ring_neighbourhoods_annulus"] == 8
    band = math.pi * (2.5**2 - 1.5**2)
    inside = 8 * math.pi * 0.06**2 / band
    assert abs(metrics["ring_quality_annulus"] - inside) < 4 * math.sqrt(inside / ring.SAMPLES)


def test_the_history_has_a_row_a_chunk(gan_smoke):
    config, _, result = gan_smoke
    for name, steps in {"game": config.steps, "early": config.early_steps}.items():
        rows = result.history[name]
        assert [row["step"] for row in rows] == list(range(config.every, steps + 1, config.every))
        for row in rows:
            assert np.all(np.isfinite([row[k] for k in ("value", "d_real", "d_fake")]))


def test_the_data_are_described_and_disjoint(gan_smoke):
    config, data, result = gan_smoke
    splits = [config.train_split, config.valid_split, config.test_split]
    assert [d["split"] for d in result.data] == splits
    assert all(d["real"] for d in result.data)
    assert result.data == [d for source in ("train", "valid", "test") for d in data.about[source]]
    assert data.train.shape == (1200, 64)


def test_the_figures_arrays_are_complete(gan_smoke):
    config, _, result = gan_smoke
    arrays = result.arrays
    shapes = {name: a.shape for name, a in arrays.items()}
    assert all(np.all(np.isfinite(a)) for a in arrays.values())
    assert shapes["samples"] == (20, 64)
    assert shapes["walk_1_5"] == shapes["walk_7_9_1"] == (9, 64)
    for name in ("samples", "walk_1_5", "walk_7_9_1"):
        assert 0 <= arrays[name].min() and arrays[name].max() <= 1
    assert shapes["proposition_2"] == (2000,)
    for panel in "abcd":
        assert shapes[f"toy_{panel}_d"] == shapes[f"toy_{panel}_p_g"] == theory.GRID.shape
    for name in ("plain", "unrolled"):
        assert shapes[f"ring_{name}"] == (ring.STAGES + 1, ring.SHOWN, 2)


def test_beside_each_fifth_sample_stands_its_nearest_training_image(gan_smoke):
    _, data, result = gan_smoke
    images = data.train.astype(np.float64) / 255
    for sample, shown in zip(result.arrays["samples"][4::5], result.arrays["nearest"], strict=True):
        distances = ((images - sample.astype(np.float64)) ** 2).sum(axis=1)
        np.testing.assert_allclose(shown, images[distances.argmin()], atol=1e-6)
