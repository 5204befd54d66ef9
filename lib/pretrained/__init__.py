"""Pretrained networks: found, verified, and read as Flax parameters; nothing is ever unpickled.

    from lib.pretrained import load
    vgg = load("vgg19")
    vgg.params["conv1_1"]["kernel"]  # float32 [3, 3, 3, 64], for RGB
    vgg.network.mean                 # what to subtract from an image in 0..255

`python -m lib.pretrained` lists the networks; with a network's name it loads and checks that one.
"""

from lib.pretrained.finding import Pretrained, WeightsNotFound, at_hand, cache, load

__all__ = ["Pretrained", "WeightsNotFound", "at_hand", "cache", "load"]
