"""What a compiled program makes devices tell one another, by XLA's own text."""

import re
from collections import Counter

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
BYTES = {
    "pred": 1,
    "s8": 1,
    "u8": 1,
    "s16": 2,
    "u16": 2,
    "bf16": 2,
    "f16": 2,
    "s32": 4,
    "u32": 4,
    "f32": 4,
}
BYTES |= {"s64": 8, "u64": 8, "f64": 8}
_LINE = re.compile(rf"= (.*?) ({'|'.join(COLLECTIVES)})(?:-start)?\(")
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


def traffic(program: str) -> dict[str, int]:
    """Bytes that come out of each kind of collective; what is in a loop counts once.

    So in a training's chunk, whose loop is over steps, these are a step's.
    """
    sent: Counter[str] = Counter()
    for shapes, kind in _LINE.findall(program):
        for dtype, sizes in _ARRAY.findall(shapes):
            count = 1
            for size in filter(None, sizes.split(",")):
                count *= int(size)
            sent[kind] += BYTES.get(dtype, 4) * count
    return dict(sent)
