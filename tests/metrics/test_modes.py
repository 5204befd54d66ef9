import jax
import numpy as np

from lib.metrics import modes

mode_coverage = jax.jit(modes.mode_coverage, static_argnames="share")

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_hand_made_points():
    samples = np.array(
        [
            [0.0, 0.0],  # on the first centre
            [3.0, 0.0],  # just within three standard deviations of it
            [3.1, 0.0],  # just outside
            [10.0, 2.9],  # within, of the second
            [0.0, 6.0],  # nearest to the third, but 4 away: it is not covered
        ]
    )
    covered, quality = mode_coverage(samples, CENTRES, 1.0)
    assert covered == 2
    np.testing.assert_allclose(quality, 3 / 5)


def test_a_wider_definition_covers_more():
    samples = np.array([[0.0, 6.0], [0.0, 0.0]])
    assert mode_coverage(samples, CENTRES, 1.0)[0] == 1
    assert mode_coverage(samples, CENTRES, 1.0, within=4.0)[0] == 2
    assert mode_coverage(samples, CENTRES, 4 / 3)[0] == 2


def test_a_mode_counts_from_a_hundredth_of_all_samples_on():
    far = np.full((2, 2), 50.0)
    samples = np.concatenate([np.zeros((197, 2)), CENTRES[1:2], far])
    assert mode_coverage(samples, CENTRES, 1.0)[0] == 1, "one of 200 is chance"
    samples = np.concatenate([np.zeros((196, 2)), CENTRES[1:2], CENTRES[1:2], far])
    assert mode_coverage(samples, CENTRES, 1.0)[0] == 2
    assert mode_coverage(samples, CENTRES, 1.0, share=0.02)[0] == 1
    assert mode_coverage(samples, CENTRES, 1.0, share=0.0)[0] == 2, "none is never enough"


def test_a_sample_between_two_modes_covers_only_the_nearer():
    centres = np.array([[0.0, 0.0], [1.0, 0.0]])
    covered, quality = mode_coverage(np.array([[0.4, 0.0]]), centres, 1.0)
    assert covered == 1
    assert quality == 1


def test_covering_a_mode_twice_counts_once_and_covering_none_counts_zero():
    assert mode_coverage(np.zeros((4, 2)), CENTRES, 1.0)[0] == 1
    covered, quality = mode_coverage(np.full((4, 2), 5.0), CENTRES, 1.0)
    assert (covered, quality) == (0, 0)


def test_the_distance_is_euclidean():
    # 2.5 along each axis: within 3 on each, sqrt(12.5) = 3.54 away.
    assert mode_coverage(np.array([[2.5, 2.5]]), CENTRES, 1.0)[1] == 0
    assert mode_coverage(np.array([[2.1, 2.1]]), CENTRES, 1.0)[1] == 1
