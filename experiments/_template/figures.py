"""The template's figure."""

import numpy as np
from matplotlib.figure import Figure as Drawing

from lib.plots.style import DISCRIMINATOR, MODEL, subplots
from lib.run.paper import Figure
from lib.run.result import Result


def theorem_2(result: Result) -> Drawing:
    """The error on minibatches, with falling and with constant steps; the mean over seeds."""
    rows = result.history["theorem_2"]
    figure, axis = subplots(width=5, height=2.8)
    for name, color in (("falling", MODEL), ("constant", DISCRIMINATOR)):
        values = [np.mean(row[name]) for row in rows]
        axis.plot([row["step"] for row in rows], values, color=color, label=f"{name} steps")
    axis.set(xlabel="steps", ylabel="half the mean square error")
    axis.legend()
    return figure


FIGURES = {"theorem_2": Figure(theorem_2, ("theorem_2",))}
