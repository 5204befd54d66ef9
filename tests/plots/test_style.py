"""Figures as files: photographs in few colours, charts as they were drawn."""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from lib.plots.style import PHOTOGRAPHIC, reduced, save, subplots

PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (130, 130, 3), np.uint8)
"""Of more colours than any chart."""


def drawn(path, picture):
    figure, axis = subplots(width=2, height=2)
    axis.imshow(picture, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title("letters")
    save(figure, path)
    assert not plt.get_fignums()
    return Image.open(path)


def test_a_figure_with_a_photograph_is_written_in_256_colours(tmp_path):
    found = drawn(tmp_path / "a.png", PHOTOGRAPH)
    assert found.mode == "P" and found.size == (260, 260)
    colors = dict((color, n) for n, color in found.convert("RGB").getcolors(256))
    corner = np.asarray(found.convert("RGB"))[:5, :5]
    assert (corner == 255).all() and (0, 0, 0) in colors, "the paper is white, the letters black"


def test_a_chart_stays_as_it_was_drawn(tmp_path):
    found = drawn(tmp_path / "a.png", np.tile(np.arange(0, 250, 25, dtype=np.uint8), (10, 1)))
    assert found.mode == "RGBA"


def test_few_colours_are_near_the_many():
    smooth = np.indices((120, 120)).transpose(1, 2, 0) * 2
    smooth = np.dstack([smooth, 255 - smooth[..., 0]]).astype(np.uint8)
    (found,) = reduced([Image.fromarray(smooth)])
    assert len(set(map(tuple, smooth.reshape(-1, 3)))) > PHOTOGRAPHIC and found.mode == "P"
    gap = np.asarray(found.convert("RGB"), float) - smooth
    assert np.abs(gap).mean() < 12 and np.abs(gap.mean(axis=(0, 1))).max() < 1


def test_the_frames_of_an_animation_share_their_colours(tmp_path):
    frames = [Image.fromarray(PHOTOGRAPH), Image.fromarray(PHOTOGRAPH[::-1])]
    save(frames, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as film:
        assert film.n_frames == 2 and film.mode == "P"
        for i, frame in enumerate(frames):
            film.seek(i)
            gap = np.asarray(film.convert("RGB"), float) - np.asarray(frame)
            assert np.abs(gap.mean(axis=(0, 1))).max() < 2 and np.abs(gap).mean() < 30
