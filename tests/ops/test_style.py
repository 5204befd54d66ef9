"""Gram matrices and the losses of neural style: by hand, by the papers' formulas, against autodiff."""

import jax
import numpy as np
import pytest

from lib.ops import style
from lib.ops.style import positions

content_loss, gram, style_loss, total_variation = map(
    jax.jit, (style.content_loss, style.gram, style.style_loss, style.total_variation)
)

H, W, N = 5, 7, 4


@pytest.fixture(scope="module")
def features():
    """Two layers' features after a ReLU, `[H, W, N]`."""
    return np.maximum(np.random.default_rng(0).normal(size=(2, H, W, N)), 0).astype(np.float32)


def test_a_gram_matrix_by_hand():
    features = np.array([[[1.0, 2.0], [0.0, 3.0]]])  # two positions, two channels
    np.testing.assert_array_equal(gram(features), [[1, 2], [2, 13]])


def test_a_gram_matrix_is_the_sum_over_positions(features):
    expected = np.zeros((N, N))
    for row in features[0]:
        for f in row:
            expected += np.outer(f, f)
    np.testing.assert_allclose(gram(features[0]), expected, rtol=1e-5)


def test_a_gram_matrix_is_symmetric_and_positive_semidefinite(features):
    g = np.asarray(gram(features[0]))
    np.testing.assert_array_equal(g, g.T)
    assert np.linalg.eigvalsh(g).min() > -1e-4 * np.trace(g)


@pytest.mark.parametrize("move", ["shuffle", "roll", "flip"])
def test_positions_do_not_matter_to_the_gram_matrix_but_to_the_content(features, move):
    f = features[0]
    moved = {
        "shuffle": np.random.default_rng(1).permutation(f.reshape(-1, N)).reshape(f.shape),
        "roll": np.roll(f, (2, 3), (0, 1)),
        "flip": f[::-1, ::-1],
    }[move]
    np.testing.assert_allclose(gram(moved), gram(f), rtol=1e-5, atol=1e-5)
    assert content_loss(moved, f) > 0.1 * content_loss(np.zeros_like(f), f)


def test_losses_are_zero_at_their_targets(features):
    f = features[0]
    assert content_loss(f, f) == 0
    assert style_loss(gram(f) / positions(f), gram(f) / positions(f)) == 0


def test_the_content_loss_has_the_papers_gradient(features):
    """Equation 2: F - P where F > 0, through the ReLU that made F."""
    raw = np.random.default_rng(2).normal(size=(H, W, N)).astype(np.float32)
    target = features[1]
    found = jax.jit(jax.grad(lambda x: content_loss(jax.nn.relu(x), target)))(raw)
    relu = np.maximum(raw, 0)
    np.testing.assert_allclose(found, np.where(raw > 0, relu - target, 0), rtol=1e-5, atol=1e-6)


def test_the_style_loss_is_equation_4_and_has_the_papers_gradient():
    """Equation 6: 1 / (N^2 M^2) (F^T (G - A))^T where F > 0; F is `[N, M]` there."""
    rng = np.random.default_rng(3)
    raw, artwork = (rng.normal(size=(H, W, N)).astype(np.float32) for _ in range(2))
    artwork = np.maximum(artwork, 0)
    m = H * W

    def loss(x):
        f = jax.nn.relu(x)
        return style_loss(gram(f) / positions(f), gram(artwork) / positions(artwork))

    f = np.maximum(raw, 0).reshape(m, N).T.astype(np.float64)
    a = artwork.reshape(m, N).T.astype(np.float64)
    difference = f @ f.T - a @ a.T
    value, gradient = jax.jit(jax.value_and_grad(loss))(raw)
    np.testing.assert_allclose(value, (difference**2).sum() / (4 * N**2 * m**2), rtol=1e-4)
    expected = (f.T @ difference).T / (N**2 * m**2)
    expected = np.where(f > 0, expected, 0).T.reshape(H, W, N)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-7)


def test_artworks_of_another_size_with_the_same_texture_have_the_same_mean_gram(features):
    f = features[0]
    twice = np.concatenate([f, f], axis=1)
    np.testing.assert_allclose(gram(twice) / positions(twice), gram(f) / positions(f), rtol=1e-5)


def test_a_mask_leaves_what_it_covers_out(features):
    f = features[0]
    mask = np.zeros((H, W), np.float32)
    mask[1:3, 2:5] = 1
    inside = f[1:3, 2:5]
    np.testing.assert_allclose(gram(f, mask), gram(inside), rtol=1e-5)
    assert positions(f, mask) == positions(inside) == 6
    np.testing.assert_allclose(gram(f, np.ones((H, W), np.float32)), gram(f), rtol=1e-6)


def test_total_variation_by_hand():
    image = np.array([[0.0, 1.0], [3.0, 3.0]])[:, :, None]
    assert total_variation(image) == 1 + 0 + 9 + 4
    assert total_variation(np.ones((4, 5, 3))) == 0


def test_shapes_that_do_not_fit_are_refused(features):
    with pytest.raises(AssertionError):
        gram(features)
    with pytest.raises(AssertionError):
        content_loss(features[0], features[0, 1:])
    with pytest.raises(AssertionError):
        style_loss(np.eye(3), np.eye(4))
