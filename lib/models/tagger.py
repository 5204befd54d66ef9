"""A recurrent network that says something at each word of a sentence."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.dense import Dense
from lib.nn.recurrent import GATES, Kind, Recurrent

Directions = Literal["forward", "backward", "both"]


class Tagger(nn.Module):
    """`words [B, T]` -> scores of the tags at each word, `[B, T, tags]`.

    Schuster & Paliwal 1997, Graves & Schmidhuber 2005: layers that read in either direction, each with
    the words themselves as its input (one number a word), and one output layer on all of their units.

    Attributes:
      words, tags: how many there are.
      units: of each layer.
      kind, keep, spread: as `lib.nn.recurrent.Recurrent`'s.
      directions: which layers there are. "forward" sees at a word what came before it, "backward" what
        comes after, "both" has a layer of each.
    """

    words: int
    tags: int
    units: int
    kind: Kind = "lstm"
    keep: float = 0.0
    spread: float = 0.0
    directions: Directions = "forward"

    @nn.compact
    def __call__(self, words: jax.Array, real: jax.Array | None = None) -> jax.Array:
        """`real` bool `[B, T]`: where words are; None: everywhere. The rest changes nothing."""
        inputs = jax.nn.one_hot(words, self.words)
        hidden = [
            Recurrent(
                self.units,
                self.kind,
                backward=direction == "backward",
                keep=self.keep,
                spread=self.spread,
                name=direction,
            )(inputs, real)[0]
            for direction in layers_of(self.directions)
        ]
        return Dense(self.tags, name="output")(jnp.concatenate(hidden, axis=-1))


def layers_of(directions: Directions) -> tuple[str, ...]:
    """The layers of a `Tagger`, by the direction that each reads in."""
    return ("forward", "backward") if directions == "both" else (directions,)


def parameters(model: Tagger) -> int:
    """How many numbers it learns."""
    layers = len(layers_of(model.directions))
    of_a_unit = GATES[model.kind] * (model.units + model.words + 1)
    return layers * model.units * of_a_unit + model.tags * (layers * model.units + 1)


def widest(model: Tagger, most: int) -> Tagger:
    """`model` with as many units as it can have with `most` parameters.

    Raises:
      ValueError: it cannot have one.
    """
    units = 0
    while parameters(model.clone(units=units + 1, parent=None)) <= most:
        units += 1
    if not units:
        raise ValueError(f"{most} parameters are too few for one unit")
    return model.clone(units=units, parent=None)
