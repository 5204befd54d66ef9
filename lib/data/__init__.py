"""Datasets: real, verified, in memory; or one clear message saying why not.

    from lib.data import load
    train = load("mnist", "train[:50000]")
    train.arrays["image"]   # uint8 [50000, 28, 28]

`lib.data.batches` shuffles them on the device; it needs JAX, and is therefore not imported here.
"""

from lib.data.dataset import Dataset
from lib.data.loading import load
from lib.data.places import DataNotFound

__all__ = ["DataNotFound", "Dataset", "load"]
