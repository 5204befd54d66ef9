"""A command of the toy paper's own."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from lib.base.words import read_options


@dataclass(frozen=True)
class Request:
    number: Annotated[int, tyro.conf.Positional]
    times: int = 2


def main(words):
    request = read_options(Request, words, prog="double", description="Multiplies.")
    print(request.number * request.times)
