"""The toy's figures; none where TOY_FIGURES is "none": what draws nothing starts in half the time."""

import os

from lib.run.paper import Figure


def curve(result):
    """Losses of the first training."""
    from lib.plots.style import subplots

    figure, axis = subplots()
    for row in result.history["adam"]:
        axis.plot(row["step"], row["loss"][0], "k.")
    return figure


def both(result):
    """Losses of both."""
    from lib.plots.style import subplots

    figure, axis = subplots()
    for name in ("adam", "momentum"):
        for row in result.history[name]:
            axis.plot(row["step"], row["loss"][0], "k.")
    return figure


FIGURES = {"curve": Figure(curve, ("adam",)), "both": Figure(both, ("adam", "momentum"))}
if os.environ.get("TOY_FIGURES") == "none":
    FIGURES = {}
