"""Looking into a network: the activations of the layers one asks for, and no layer more."""

from collections.abc import Iterable

import jax


def tapped(layers: Iterable[tuple[str, jax.Array]], taps: tuple[str, ...]) -> dict[str, jax.Array]:
    """The activations called `taps` of `layers`, which yields (name, activations) as it computes them.

    It stops at the deepest tap.

    Raises:
      ValueError: there is no such layer; the message lists those that there are.
    """
    tapped, names = {}, []
    if not taps:
        return tapped
    for name, activations in layers:
        names.append(name)
        if name in taps:
            tapped[name] = activations
            if len(tapped) == len(set(taps)):
                return tapped
    missing = ", ".join(sorted(set(taps) - set(names)))
    raise ValueError(f"no layer {missing}; there are {', '.join(names)}")
