"""Standard streams that outlast whoever reads them, and print what they can."""

import contextlib
import os
import sys
from collections.abc import Iterator


class Lasting:
    """A text stream that goes on, into nothing, when its reader has left (`... | head`)."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> int:
        with self._outlast():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._outlast():
            self._stream.flush()

    @contextlib.contextmanager
    def _outlast(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name):
        return getattr(self._stream, name)


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Both streams as `Lasting`; what their encoding lacks is replaced; closed ones lead nowhere."""
    kept = {}
    for number, name in ((1, "stdout"), (2, "stderr")):
        kept[name] = stream = getattr(sys, name)
        if (
            stream is None
        ):  # closed by whoever started us: files that we open must not take its place
            while (nowhere := os.open(os.devnull, os.O_WRONLY)) < number:
                pass
            stream = open(nowhere, "w")
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
        setattr(sys, name, Lasting(stream))
    try:
        yield
    finally:
        for name, stream in kept.items():
            with contextlib.suppress(OSError, ValueError):
                getattr(sys, name).flush()
            setattr(sys, name, stream)


def printable(text: str) -> str:
    """`text` with what would move the cursor or colour the terminal written out."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
