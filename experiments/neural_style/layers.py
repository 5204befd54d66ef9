"""Which layers stand for what, in each network. Light: imports no JAX."""

from typing import NamedTuple


class Layers(NamedTuple):
    """Of one network.

    Attributes:
      style: five, from the first on, each after a pooling: the paper's conv1_1 to conv5_1.
      content: the paper's conv4_2.
      lower: the layer that Figure 5 (2016) compares it with.
      last: the deepest convolution whose output no normalisation may change.
      ratio: alpha / beta at which content and style are both to be seen.
      odd: its first layer, of stride 2, sees the last row and column of odd sides only.
      least_side: pixels an image needs on each side.
      bytes_at_least, bytes_a_pixel: what the process takes on a CPU before any image, and for a pixel of
        the image that Adam optimises (measured; a test compares the latter with the compiled program's).
    """

    style: tuple[str, ...]
    content: str
    lower: str
    last: str
    least_side: int
    bytes_at_least: int
    bytes_a_pixel: int
    ratio: float
    odd: bool = False

    def shape(self, shape: tuple[int, int], scale: float) -> tuple[int, int]:
        """`shape` times `scale`, in whole pixels that the network sees all of."""
        if self.odd:
            return tuple(max(1, 2 * round((n * scale - 1) / 2) + 1) for n in shape)
        return tuple(max(1, round(n * scale)) for n in shape)


_VGG = Layers(
    style=("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
    content="conv4_2",
    lower="conv2_2",
    last="conv5_4",
    least_side=16,
    bytes_at_least=1250 * 2**20,
    bytes_a_pixel=2900,
    ratio=1e-4,
)
LAYERS = {
    "vgg19": _VGG,
    "vgg16": _VGG._replace(last="conv5_3"),
    # By their strides: 2, 4, 8, 16 and 16 pixels; VGG's are 1, 2, 4, 8 and 16.
    "squeezenet1_1": Layers(
        style=("conv1", "fire2", "fire4", "fire6", "fire8"),
        content="fire5",
        lower="fire2",
        last="conv10",
        least_side=25,
        bytes_at_least=600 * 2**20,
        bytes_a_pixel=800,
        ratio=1e-3,
        odd=True,
    ),
}
