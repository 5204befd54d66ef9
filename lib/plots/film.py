"""Pictures of games, and an episode in motion with the values that an agent gives it."""

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

SIZE, TRACE = 240, 90
"""Pixels: the sides of the game, and the height of the trace below it."""
LAST = 100
"""Steps that the trace goes back."""


def colored(picture: np.ndarray) -> np.ndarray:
    """A game's channels, bool `[..., h, w, c]`, as RGB uint8 `[..., h, w, 3]`: a colour each, on black."""
    channels = picture.shape[-1]
    wheel = matplotlib.colormaps["tab10" if channels <= 10 else "tab20"]
    colors = (255 * np.array([wheel(i)[:3] for i in range(channels)])).astype(np.uint8)
    # The first channel that is set is on top: it is the player's, where there is one.
    top = picture.argmax(axis=-1)
    return np.where(picture.any(axis=-1)[..., None], colors[top], 0).astype(np.uint8)


def episode(screens: np.ndarray, value: np.ndarray, reward: np.ndarray) -> list[Image.Image]:
    """One image a step: `screens` `[t, h, w, 3]`, below it `value` `[t]` so far, dots: `reward` `[t]`."""
    low, high = float(value.min()), float(value.max())
    span = max(high - low, 1e-6)
    images = []
    for t, screen in enumerate(screens):
        h, w = screen.shape[:2]
        width = round(SIZE * w / h) if h > 50 else SIZE
        image = Image.new("RGB", (SIZE, SIZE + TRACE), "white")
        shown = Image.fromarray(screen).resize((width, SIZE), Image.Resampling.NEAREST)
        image.paste(shown, ((SIZE - width) // 2, 0))
        draw = ImageDraw.Draw(image)
        begin = max(0, t + 1 - LAST)

        def at(i, begin=begin):
            height = (value[i] - low) / span * (TRACE - 34)
            return 10 + (i - begin) * (SIZE - 20) / LAST, SIZE + TRACE - 8 - height

        draw.line([at(i) for i in range(begin, t + 1)] or [(0, 0)], fill="#2a9d5c", width=2)
        for i in range(begin, t + 1):
            if reward[i]:
                x, y = at(i)
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill="#222222")
        score = reward[: t + 1].sum()
        draw.text((8, SIZE + 3), f"value {value[t]:.2f}   score {score:g}", fill="#222222")
        images.append(image.quantize(64))
    return images
