"""Adversarial examples by hand, and the papers' comparisons."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import log_softmax

from experiments.adversarial import attacks, experiment, figures, nets, training
from experiments.adversarial.config import PRESETS, Config
from experiments.adversarial.data import Data
from experiments.adversarial.training import KINDS, more_data, nets_of
from lib.base.errors import UserError
from lib.run.keys import root_keys
from lib.run.result import Result
from lib.run.watch import Watch

W = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
PARAMS = {"w": jnp.asarray(W)}


def linear(params, x):
    return x @ params["w"]


def crooked(params, x):
    return jnp.sin(8 * x) @ params["w"]


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    x = rng.uniform(0.3, 0.7, (6, 12)).astype(np.float32)
    x[0, 0], x[1, 1] = 0.0, 1.0
    return jnp.asarray(x), jnp.asarray(rng.integers(0, 4, 6))


def loss_by_hand(x, labels):
    return -log_softmax(np.asarray(x, np.float64) @ W, axis=1)[np.arange(len(x)), labels]


def test_the_loss_is_the_cross_entropy(batch):
    found = attacks.cross_entropy(linear, PARAMS, *batch)
    np.testing.assert_allclose(found, loss_by_hand(*batch), rtol=1e-5)


def test_a_step_is_exactly_epsilon_in_every_pixel_and_clipped(batch):
    x, labels = batch
    moved = attacks.fgsm(linear, PARAMS, x, labels, 0.1)
    p = np.exp(log_softmax(np.asarray(x, np.float64) @ W, axis=1))
    gradient = (p - np.eye(4)[np.asarray(labels)]) @ W.T
    wanted = np.clip(np.asarray(x) + 0.1 * np.sign(gradient), 0, 1)
    np.testing.assert_allclose(moved, wanted, atol=1e-6)
    inside = (np.asarray(x) > 0.15) & (np.asarray(x) < 0.85)
    np.testing.assert_allclose(np.abs(moved - x)[inside], 0.1, atol=1e-6)
    assert moved.min() >= 0 and moved.max() <= 1
    assert (loss_by_hand(moved, labels) > loss_by_hand(x, labels)).all()


def test_in_a_linear_network_a_score_moves_by_epsilon_times_the_weights_sum():
    """Section 3: w . (epsilon sign w) = epsilon m n, m the mean size of the n weights."""
    x, w = jnp.full((1, 12), 0.5), W[:, :1]
    moved = attacks.signed_step(x, jnp.asarray(w.T), 0.2)
    change = float(((moved - x) @ w)[0, 0])
    assert change == pytest.approx(0.2 * np.abs(w).mean() * 12, rel=1e-5)


def test_random_signs_are_as_far_and_ask_nobody(batch):
    x, _ = batch
    a, b = (attacks.random_signs(jax.random.key(k), x.shape) for k in (0, 1))
    inside = (np.asarray(x) > 0.15) & (np.asarray(x) < 0.85)
    for coins in (a, b):
        moved = attacks.signed_step(x, coins, 0.1)
        np.testing.assert_allclose(np.abs(moved - x)[inside], 0.1, atol=1e-6)
    assert np.any(a != b)
    assert abs(attacks.random_signs(jax.random.key(2), (50, 100)).mean()) < 0.05


def test_what_is_judged_is_the_share_that_is_wrong(batch):
    x, _ = batch
    said = np.asarray(x @ W).argmax(axis=1)
    labels = jnp.asarray([*said[:4], *((said[4:] + 1) % 4)])
    error, confidence = attacks.judged(linear, PARAMS, x, labels)
    p = np.exp(log_softmax(np.asarray(x, np.float64) @ W, axis=1))
    assert error == pytest.approx(2 / 6) and confidence == pytest.approx(p.max(axis=1).mean())


def test_a_linear_network_is_straight_and_a_crooked_one_is_not(batch):
    two = {"w": PARAMS["w"][:, :2]}  # of two classes the margin is linear; of more its pieces
    labels = batch[1] % 2
    line = jnp.linspace(0, 0.25, 11)
    straight = attacks.straightness(linear, two, batch[0], labels, line)
    np.testing.assert_allclose(straight, 1, atol=1e-4)
    assert float(attacks.straightness(crooked, two, batch[0], labels, line).min()) < 0.9


def test_the_least_change_reaches_its_class_in_the_box_and_is_less_than_a_signed_step(batch):
    x, _ = batch
    image = np.asarray(x[2])
    said = int((image @ W).argmax())
    target = (said + 1) % 4
    weights = np.array(nets.weights_from(10.0, 1.3, 40))
    found = attacks.minimal_perturbation(linear, PARAMS, image, target, weights=weights)
    assert found.image is not None and int((found.image @ W).argmax()) == target
    assert found.image.min() >= 0 and found.image.max() <= 1
    # The nearest point of the half-space against the class that is said, a lower bound.
    margin = float(image @ (W[:, said] - W[:, target]))
    least = margin / np.linalg.norm(W[:, said] - W[:, target])
    r = np.linalg.norm(found.image - image)
    assert least * 0.999 <= r
    if set(np.argsort(-(image @ W))[:2]) == {said, target}:
        assert r < 1.5 * least
    one = np.array([1e6])
    assert attacks.minimal_perturbation(linear, PARAMS, image, target, weights=one).image is None


def test_the_search_goes_from_the_largest_weight_down():
    assert nets.weights_from(10.0, 2.0, 3) == [10, 5, 2.5]


def test_an_ascent_stays_in_the_box_and_raises_the_class(batch):
    x, _ = batch
    targets = jnp.zeros(6, jnp.int32)
    found = attacks.ascend(linear, PARAMS, x, targets, step=0.02, steps=20)
    assert found.min() >= 0 and found.max() <= 1
    before, after = (attacks.cross_entropy(linear, PARAMS, z, targets) for z in (x, found))
    assert (after < before).all()
    once = attacks.ascend(linear, PARAMS, x, targets, step=0.02, steps=1)
    assert np.abs(once - x).max() == pytest.approx(0.02, abs=1e-6)


# Training.


def make(kinds, **changes):
    options = {"epsilon": 0.25, "alpha": 0.5, "learning_rate": 1e-3, "batch": 4} | changes
    return nets.make_training(kinds, 12, 3, 2, **options)


IMAGES = np.random.default_rng(2).integers(0, 256, (20, 12), np.uint8)
DATA = (jnp.asarray(IMAGES), jnp.asarray(np.arange(20) % 10))
PAIR = {"maxout": ("maxout", False), "trained": ("maxout", True)}


def test_networks_of_a_kind_begin_alike_and_the_paper_has_these_networks():
    states = make(KINDS)[0](jax.random.key(0))
    for a, b in zip(*(jax.tree.leaves(states[n].params) for n in PAIR), strict=True):
        np.testing.assert_array_equal(a, b)
    assert KINDS["trained"] == ("maxout", True)
    assert KINDS["maxout"] == ("maxout", False)
    shapes = {n: sum(x.size for x in jax.tree.leaves(s.params)) for n, s in states.items()}
    assert shapes["softmax"] == 12 * 10 + 10
    assert shapes["maxout"] == (12 + 1) * 6 + (3 + 1) * 6 + (3 + 1) * 10
    assert shapes["relu"] == (12 + 1) * 6 + (6 + 1) * 6 + (6 + 1) * 10


def test_the_adversarially_trained_network_sees_the_same_images(monkeypatch):
    """With alpha 1, or epsilon 0, it is the network beside it; else it is not."""
    key = jax.random.key(0)
    for changes, same in (({"alpha": 1.0}, True), ({"epsilon": 0.0}, True), ({}, False)):
        init, step = make(PAIR, **changes)
        states = init(key)
        for t in range(3):
            states, _ = step(states, DATA, jax.random.clone(key), jnp.int32(t))
        a, b = (jax.tree.leaves(states[n].params) for n in PAIR)
        gap = max(float(jnp.abs(x - y).max()) for x, y in zip(a, b, strict=True))
        assert (gap < 1e-4) == same, (changes, gap)


def test_its_loss_is_the_papers():
    """J~ = alpha J(x) + (1 - alpha) J(x + epsilon sign), before the first update."""
    init, step = make(PAIR, alpha=0.3, epsilon=0.1)
    key = jax.random.key(0)
    states = init(key)
    seen = []

    def keep(indices):
        seen.append(np.asarray(indices))
        return indices

    chosen = keep(nets.shuffled_indices(key, jnp.int32(0), size=20, batch=4))
    _, metrics = step(states, DATA, key, jnp.int32(0))
    x, labels = nets.pixels(DATA[0][chosen]), DATA[1][chosen]
    logits, params = nets.logits_of("maxout", 3, 2), states["maxout"].params
    clean = attacks.cross_entropy(logits, params, x, labels).mean()
    moved = attacks.fgsm(logits, params, x, labels, 0.1)
    there = attacks.cross_entropy(logits, params, moved, labels).mean()
    assert float(metrics["loss_maxout"]) == pytest.approx(float(clean), rel=1e-5)
    assert float(metrics["loss_trained"]) == pytest.approx(
        float(0.3 * clean + 0.7 * there), rel=1e-5
    )


def test_training_sets_contain_one_another_and_nothing_else_changes(monkeypatch):
    asked = []

    def fit(config, name, kinds, images, labels, keys, watch, *, steps):
        asked.append((kinds, images, labels, steps))
        init, _ = make(kinds)
        return type("Trained", (), {"state": jax.vmap(init)(keys)})

    monkeypatch.setattr(training, "fit", fit)
    config = Config(
        **{
            **vars(PRESETS["smoke"]),
            "units": 3,
            "pieces": 2,
            "sizes": (4, 10, 20),
            "examples": 20,
            "batch": 4,
        }
    )
    data = Data((IMAGES, np.asarray(DATA[1])), (IMAGES, np.asarray(DATA[1])), None, {}, {})
    result = more_data(config, root_keys((0, 1)), data, Watch(), {})
    assert [len(images) for _, images, _, _ in asked] == [4, 10, 20]
    for kinds, images, labels, steps in asked:
        assert kinds == {"maxout": ("maxout", False)} and steps == config.data_steps
        np.testing.assert_array_equal(images, IMAGES[: len(images)])
        np.testing.assert_array_equal(labels, np.asarray(DATA[1])[: len(images)])
    # The same networks whatever they were given: nothing is left to fall.
    assert result.metrics["data_left"] == pytest.approx([1, 1])
    assert result.metrics["data_clean_left"] == pytest.approx([1, 1])


# One smoke run.


def test_the_sweep_begins_with_the_clean_error(adversarial_smoke):
    config, _, result = adversarial_smoke
    metrics, error = result.metrics, result.arrays["fgsm_error"]
    for j, name in enumerate(KINDS):
        assert error[0, j, 0] == pytest.approx(metrics[f"clean_{name}"][0])
        assert error[0, j, -1] == pytest.approx(metrics[f"fgsm_{name}"][0])
        assert result.arrays["fgsm_noise"][0, j, 0] == pytest.approx(metrics[f"clean_{name}"][0])
    assert metrics["fgsm_over_noise"][0] == pytest.approx(
        metrics["fgsm_maxout"][0] - metrics["noise_maxout"][0]
    )
    assert metrics["adversarial_falls"][0] == pytest.approx(
        metrics["fgsm_maxout"][0] - metrics["fgsm_trained"][0]
    )
    assert metrics["fgsm_clean_worst"][0] == max(metrics[f"clean_{n}"][0] for n in KINDS)


def test_the_tables_diagonal_is_the_sweep(adversarial_smoke):
    _, _, result = adversarial_smoke
    table = result.arrays["transfer_table"][0]
    for j, name in enumerate(KINDS):
        assert table[j, j] == pytest.approx(result.metrics[f"fgsm_{name}"][0])
    names = list(KINDS)
    a, b = names.index("maxout"), names.index("relu")
    assert result.metrics["transfer_error"][0] == pytest.approx((table[a, b] + table[b, a]) / 2)


def test_networks_come_back_from_the_part_that_trained_them(adversarial_smoke):
    config, data, result = adversarial_smoke
    found = nets_of(config, result, 0)
    x, labels = nets.pixels(jnp.asarray(data.test[0])), jnp.asarray(data.test[1])
    for name in KINDS:
        error = attacks.judged(found.logits[name], found.params[name], x, labels).error
        assert error == pytest.approx(result.metrics[f"clean_{name}"][0])


@pytest.mark.parametrize("name", [n for n in figures.FIGURES if n != "panda"])
def test_every_figure_is_drawn_from_a_result_alone(name, adversarial_smoke):
    drawn = figures.FIGURES[name].draw(adversarial_smoke[2])
    assert drawn is None or any(axis.images or axis.lines for axis in drawn.axes)
    plt.close("all")


def test_the_panda_is_drawn():
    grey = np.full((4, 4, 3), 90, np.uint8)
    arrays = {f"panda_{n}": grey for n in ("before", "signs", "after")}
    arrays |= {"panda_said": np.array([5, 7]), "panda_sure": np.array([0.5, 0.25])}
    axes = figures.panda(Result({}, arrays=arrays | {"panda_epsilon": np.array(0.007)})).axes
    titles = [axis.get_title() for axis in axes]
    assert titles == ["class 5, 50.0%", "+ 0.007 × signs", "class 7, 25.0%"]
    plt.close("all")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"alpha": 2}, "--alpha must be between 0 and 1"),
        ({"epsilons": (0.0, 0.1)}, "--epsilons must have --epsilon 0.25"),
        ({"epsilons": (0.25, 0.1)}, "--epsilons must be two or more numbers"),
        ({"sizes": (10, 60_000)}, "--sizes must lie between --batch and --examples"),
        ({"rubbish_images": 5}, "--rubbish-images must be at least 10"),
        ({"photographs": ("coffee", "coffee")}, "--photographs must be different"),
    ],
)
def test_a_config_that_cannot_be(changes, said):
    with pytest.raises(ValueError, match=said):
        Config(**changes)


def test_data_that_there_is_not():
    config = Config(photographs=("panda",))
    with pytest.raises(UserError, match="--photographs: there is no photograph 'panda', only"):
        experiment.load_data(config, only=())
    config = Config(dataset="digits")
    with pytest.raises(UserError, match="--examples: digits has 1437 in train"):
        experiment.load_data(config, only=())
