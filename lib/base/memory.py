"""How much memory there is for a request that can be refused."""

import contextlib
import ctypes
import os
from pathlib import Path

from lib.base.errors import UserError


def free_memory() -> int | None:
    """Bytes of the machine's memory that can be had without swapping; None where the system doesn't tell."""
    try:
        words = Path("/proc/meminfo").read_text().split()
        return int(words[words.index("MemAvailable:") + 1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def check_fits(needed: int, what: str, free: int | None = None) -> None:
    """Raises UserError (code 2) if `what` needs more bytes than are free, here or as `free` says.

    Where the system doesn't tell what is free, nothing is checked.
    """
    free = free_memory() if free is None else free
    if free is not None and needed > free:
        raise UserError(
            f"{what} needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free: ask for less",
            2,
        )


def keep_freed() -> None:
    """Memory that is freed stays with the process, where the C library is GNU's.

    Otherwise what is above 32 MB, as what a compiled step has for all that is in between, goes back to the
    system and comes anew in the next call, page by page.
    """
    trim, mmap_from = -1, -3  # malloc.h
    try:
        ctypes.CDLL(None).gnu_get_libc_version
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    for setting, value in ((mmap_from, 2**30), (trim, 2**31 - 1)):
        mallopt(setting, value)


@contextlib.contextmanager
def out_of_memory():
    """Turns what JAX and NumPy raise when memory runs out into one line."""
    import jax

    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            why = str(error).strip().splitlines() or ["no more to be had"]
            raise UserError(f"out of memory: ask for less ({why[0][-120:]})") from error
        raise
