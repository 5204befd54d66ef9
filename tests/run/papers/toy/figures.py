"""The toy's figures."""

from lib.plots.style import subplots
from lib.run.paper import Figure


def curve(result):
    """Losses of the first training."""
    figure, axis = subplots()
    for row in result.history["adam"]:
        axis.plot(row["step"], row["loss"][0], "k.")
    return figure


def both(result):
    """Losses of both."""
    figure, axis = subplots()
    for name in ("adam", "momentum"):
        for row in result.history[name]:
            axis.plot(row["step"], row["loss"][0], "k.")
    return figure


FIGURES = {"curve": Figure(curve, ("adam",)), "both": Figure(both, ("adam", "momentum"))}
