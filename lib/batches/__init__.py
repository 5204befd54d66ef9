"""From arrays to what a step sees: the examples of a batch, streams, words as numbers, pairs of images.

What there is on disk, and how it gets there, is `lib.data`'s, which knows no JAX.
"""
