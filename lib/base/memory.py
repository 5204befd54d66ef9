"""How much memory there is for a request that can be refused."""

import os
from pathlib import Path


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
