"""Whether a pretrained network knows photographs that we know."""

from typing import NamedTuple

import numpy as np

from lib.base.errors import UserError
from lib.data import catalogue, images, readers
from lib.data.fetch import Unavailable
from lib.pretrained.finding import Pretrained

# Of scikit-image's photographs, numbered as in ILSVRC 2012: what each shows, whatever a network says.
SHOWN = {
    "coffee": {967: "espresso"},
    "chelsea": {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"},
    "rocket": {657: "missile", 744: "projectile", 812: "space shuttle"},
}


class Row(NamedTuple):
    """What a network says of a photograph.

    Attributes:
      shown: the classes that it may be said to show: number -> name.
      guesses: the five likeliest, (class, probability), the likeliest first.
    """

    photograph: str
    shown: dict[int, str]
    guesses: tuple[tuple[int, float], ...]

    @property
    def holds(self) -> bool:
        """Whether one of the guesses is right."""
        return any(guess in self.shown for guess, _ in self.guesses)


def check(pretrained: Pretrained) -> list[Row]:
    """A row for each photograph of `SHOWN`; none if the file has no classifier.

    Shorter side resized to 256 pixels, the square in the middle, as ImageNet's validation is done.

    Raises:
      UserError: the installed scikit-image has other photographs.
    """
    if not classifies(pretrained):
        return []
    import jax
    import jax.numpy as jnp

    files = _photographs()
    network = pretrained.network
    photographs = [_middle(images.decode(files[name].read_bytes()), network.side) for name in SHOWN]
    inputs = np.stack(photographs)
    logits = jax.jit(make_classifier(pretrained))
    rows = []
    for name, row in zip(SHOWN, logits(pretrained.params, jnp.asarray(inputs)), strict=True):
        chances = np.asarray(jax.nn.softmax(row))
        five = np.argsort(-chances)[:5]
        rows.append(Row(name, SHOWN[name], tuple((int(i), float(chances[i])) for i in five)))
    return rows


def _photographs() -> dict[str, images.File]:
    try:
        splits = readers.carried_images(catalogue.find("photographs"))
    except Unavailable as error:
        raise UserError(f"no photographs to check with: {error}") from error
    return {e["name"]: e["image"] for examples in splits.values() for e in examples}


def classifies(pretrained: Pretrained) -> bool:
    """Whether the file has the network's last layer."""
    return list(pretrained.network.layers)[-1] not in pretrained.file.lacks


def make_classifier(pretrained: Pretrained):
    """`logits(params, images)`: RGB in 0..255, float32 `[n, h, w, 3]` -> `[n, 1000]`."""
    import jax.numpy as jnp

    model, mean = _model(pretrained.network.name), pretrained.network.mean
    mean = jnp.asarray(mean, jnp.float32).reshape(1, 1, 1, 3)

    def logits(params, images):
        return model.apply({"params": params}, images - mean, ("logits",))["logits"]

    return logits


def _model(name: str):
    from lib.models.googlenet import GoogLeNet
    from lib.models.squeezenet import SqueezeNet
    from lib.models.vgg import VGG

    if name.startswith("vgg"):
        return VGG(int(name.removeprefix("vgg")))
    return {"squeezenet1_1": SqueezeNet, "googlenet": GoogLeNet}[name]()


def _middle(image: np.ndarray, side: int) -> np.ndarray:
    """uint8 `[h, w, 3]` -> float32 `[side, side, 3]`."""
    from lib.ops.resize import resize

    shape = tuple(round(length * 256 / min(image.shape[:2])) for length in image.shape[:2])
    resized = np.clip(resize(image.astype(np.float32), shape), 0, 255)
    top, left = ((length - side) // 2 for length in shape)
    return resized[top : top + side, left : left + side]
