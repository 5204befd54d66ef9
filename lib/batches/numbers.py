"""Numbers in words: a small real language that needs no file, by the Python package num2words."""

from collections.abc import Iterable

import numpy as np

from lib.batches.text import Words, tokenise


def draw_numbers(digits: int, count: int) -> list[int]:
    """Different numbers of up to `digits` digits, in no order: all lengths as often, as far as there are.

    Fewer than `count` where there are not as many. Always the same ones.
    """
    rng, drawn = np.random.default_rng(0), {}
    left = {d: 10 if d == 1 else 9 * 10 ** (d - 1) for d in range(1, digits + 1)}
    while len(drawn) < count and any(left.values()):
        d = int(rng.choice([d for d in left if left[d]]))
        number = int(rng.integers(0 if d == 1 else 10 ** (d - 1), 10**d))
        if number not in drawn:
            drawn[number] = None
            left[d] -= 1
    numbers = list(drawn)
    return [numbers[i] for i in rng.permutation(len(numbers))]


def in_words(numbers: Iterable[int], language: str = "en") -> list[Words]:
    """Each number in words, as `lib.batches.text.tokenise` has them."""
    from num2words import num2words

    return [tokenise(num2words(int(number), lang=language)) for number in numbers]
