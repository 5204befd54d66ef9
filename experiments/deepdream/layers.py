"""Which layers of which network stand for what. Light: imports no JAX."""

from typing import NamedTuple


class Layers(NamedTuple):
    """Of one network.

    Attributes:
      default: the notebook's inception_4c.
      low: the notebook's second example, inception_3b/5x5_reduce.
      guide: the notebook's layer of guided dreams, inception_3b.
      studied: from the lowest on, those that are compared.
      least_side: pixels that the smallest octave needs on each side.
      bytes_a_pixel: of memory, while a dream is computed on a CPU: SqueezeNet's by a test,
        GoogLeNet's reckoned from its activations, on the safe side.
    """

    default: str
    low: str
    guide: str
    studied: tuple[str, ...]
    least_side: int
    bytes_a_pixel: int


LAYERS = {
    "googlenet": Layers(
        default="inception_4c",
        low="inception_3b/5x5_reduce",
        guide="inception_3b",
        studied=("conv2", "inception_3a", "inception_3b", "inception_4a")
        + ("inception_4c", "inception_4e", "inception_5b"),
        least_side=47,
        bytes_a_pixel=3000,
    ),
    # By their strides, 8 and 16 pixels.
    "squeezenet1_1": Layers(
        default="fire7",
        low="fire3",
        guide="fire5",
        studied=("conv1", "fire2", "fire3", "fire4", "fire5", "fire7", "fire9"),
        least_side=25,
        bytes_a_pixel=1200,
    ),
}

SCORES = "scores"
"""Beside a network's own layers: the class scores at each position, before any ReLU and mean."""
