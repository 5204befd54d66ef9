"""Leaving in time: Ctrl-C, what schedulers send, and a run's own limit, all in one way."""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from tqdm import tqdm

WORDS = {
    signal.SIGINT: ("interrupted", 130),
    signal.SIGTERM: ("terminated", 143),
    signal.SIGHUP: ("hung up", 129),
    signal.SIGALRM: ("the time is up", 75),
}
"""What is said of each, and the exit code; 75 is the system's word for "try again"."""


class Stopped(KeyboardInterrupt):
    """Raised where no training is under way; libraries that tidy up after a Ctrl-C do so for it."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number
        self.said, self.code = WORDS[number]


class Stop:
    """Whether a run has been asked to leave; a training sees it at the end of a chunk.

    Args:
      deadline: of `time.monotonic()`, by which all is to be saved.
    """

    def __init__(self, deadline: float = math.inf):
        self.asked: Stopped | None = None
        self.training = False
        self._deadline = deadline

    def due(self, seconds: float) -> Stopped | None:
        """The reason to leave, if there is one or there will be within so many seconds."""
        if self.asked is None and time.monotonic() + seconds >= self._deadline:
            return Stopped(signal.SIGALRM)
        return self.asked

    def on_signal(self, number: int, frame) -> None:
        """The handler of all of them."""
        self.asked = Stopped(number)
        if not self.training:
            raise self.asked

    @contextlib.contextmanager
    def answering(self, again: str) -> Iterator["Stop"]:
        """Signals are answered: the first is acknowledged, a further Ctrl-C ends the process, both at once.

        Python runs its signal handlers between two of its own instructions, and one call into XLA can
        compile or compute for minutes; but the system's byte on the wake-up pipe comes without delay.

        Raises:
          Stopped: the time was up before anything could be computed.
        """
        if not self.training and time.monotonic() >= self._deadline:
            raise Stopped(signal.SIGALRM)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)

        def listen():
            acknowledged = False
            while received := os.read(reading, 1):
                number = received[0]
                if number not in WORDS or number == signal.SIGALRM:
                    continue
                said, code = WORDS[number]
                if not acknowledged:
                    acknowledged = True
                    more = "Ctrl-C again" if number == signal.SIGINT else "Ctrl-C"
                    line = (
                        f"{said}: leaving when what is under way is saved ({more} to leave at once)"
                    )
                    tqdm.write(line, file=sys.stderr)
                elif number == signal.SIGINT:  # `timeout` and schedulers may send theirs twice
                    tqdm.write(f"left at once. Continue: {again}", file=sys.stderr)
                    os._exit(code)
            os.close(reading)

        before = {number: signal.getsignal(number) for number in WORDS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup leaves it
                signal.signal(number, self.on_signal)
        threading.Thread(target=listen, daemon=True).start()
        signal.set_wakeup_fd(writing)
        if self._deadline < math.inf:
            signal.setitimer(signal.ITIMER_REAL, max(self._deadline - time.monotonic(), 1e-3))
        try:
            yield self
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.set_wakeup_fd(-1)
            os.close(writing)
            for number, handler in before.items():
                signal.signal(number, handler)
