"""The toy's one figure."""

from lib.plots.style import subplots


def curve(result):
    """Losses of the first training."""
    figure, axis = subplots()
    for row in result.history["adam"]:
        axis.plot(row["step"], row["loss"][0], "k.")
    return figure


FIGURES = {"curve": curve}
