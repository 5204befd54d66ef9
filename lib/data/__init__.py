"""Datasets: real, verified, in memory; or one clear message saying why not.

    from lib.data import load
    train = load("mnist", "train[:50000]")
    train.arrays["image"]   # uint8 [50000, 28, 28]
    test = load("photographs", "test")
    test.arrays["chelsea"]  # uint8 [300, 451, 3]

No JAX in here: what makes batches of them, on the device too, is `lib.batches`.
"""

from lib.data.dataset import Dataset, Images
from lib.data.loading import load
from lib.data.places import DataNotFound

__all__ = ["DataNotFound", "Dataset", "Images", "load"]
