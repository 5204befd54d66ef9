"""Figures as files: photographs in few colours where many take too many bytes, charts as they were drawn."""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from lib.plots import style

RNG = np.random.default_rng(0)
ROUGH = RNG.integers(0, 256, (130, 130, 3), np.uint8)
SMOOTH = np.dstack([*np.indices((120, 120)) * 2, np.full((120, 120), 128)]).astype(np.uint8)


def drawn(path, picture):
    figure, axis = style.subplots(width=2, height=2)
    axis.imshow(picture, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title("letters")
    style.save(figure, path)
    assert not plt.fignum_exists(figure.number)
    return Image.open(path)


def test_a_figure_that_takes_too_many_bytes_is_written_in_256_colours(tmp_path, monkeypatch):
    whole = drawn(tmp_path / "a.png", ROUGH)
    assert whole.mode == "RGBA"
    monkeypatch.setattr(style, "MOST_BYTES", (tmp_path / "a.png").stat().st_size - 1)
    found = drawn(tmp_path / "b.png", ROUGH)
    assert found.mode == "P" and found.size == whole.size
    assert (tmp_path / "b.png").stat().st_size < 0.75 * (tmp_path / "a.png").stat().st_size
    colors = {color for _, color in found.convert("RGB").getcolors(256)}
    corner = np.asarray(found.convert("RGB"))[:5, :5]
    assert (corner == 255).all() and (0, 0, 0) in colors, "the paper is white, the letters black"


def test_a_chart_stays_as_it_was_drawn(tmp_path):
    figure, axis = style.subplots()
    axis.plot([0, 1], [1, 0])
    style.save(figure, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "RGBA"


def test_few_colours_are_near_the_many_and_dithered_to_the_eye_the_same():
    of_blocks = []
    for dithered in (True, False):
        (found,) = style.reduced([Image.fromarray(SMOOTH)], dithered)
        gap = np.asarray(found.convert("RGB"), float) - SMOOTH
        assert found.mode == "P" and np.abs(gap).mean() < 12
        of_blocks.append(np.abs(gap.reshape(12, 10, 12, 10, 3).mean(axis=(1, 3))).mean())
    assert of_blocks[0] < 0.5 * of_blocks[1]


def test_white_and_black_stay_white_and_black():
    picture = SMOOTH // 2 + 64
    picture[:9], picture[9:12] = 255, 0
    for dithered in (True, False):
        (found,) = style.reduced([Image.fromarray(picture)], dithered)
        np.testing.assert_array_equal(np.asarray(found.convert("RGB"))[:12], picture[:12])


def test_the_frames_of_an_animation_share_their_colours(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "MOST_BYTES", 1000)
    frames = [Image.fromarray(ROUGH), Image.fromarray(255 - ROUGH // 2)]
    style.save(frames, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as film:
        assert film.n_frames == 2 and film.mode == "P"
        for i, frame in enumerate(frames):
            film.seek(i)
            gap = np.asarray(film.convert("RGB"), float) - np.asarray(frame)
            assert np.abs(gap.mean(axis=(0, 1))).max() < 3 and np.abs(gap).mean() < 30
