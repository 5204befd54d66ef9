"""Datasets: real, verified, in memory; or one clear message saying why not.

    from lib.data import load
    train = load("mnist", "train[:50000]")
    train.arrays["image"]   # uint8 [50000, 28, 28]
    test = load("photographs", "test")
    test.arrays["chelsea"]  # uint8 [300, 451, 3]

`lib.data.batches` shuffles them on the device; it needs JAX, and is therefore not imported here.
"""

from lib.data.dataset import Dataset, Images
from lib.data.loading import load
from lib.data.places import DataNotFound

__all__ = ["DataNotFound", "Dataset", "Images", "load"]
