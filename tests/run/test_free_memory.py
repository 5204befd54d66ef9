import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lib.base.memory import free_memory


def test_free_memory_is_what_the_system_says_or_not_known(monkeypatch):
    assert 2**20 < free_memory() < 2**50
    meminfo = "MemTotal: 16000 kB\nMemFree: 100 kB\nMemAvailable:    2048 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self: meminfo)
    assert free_memory() == 2 * 2**20

    def absent(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(os, "sysconf", {"SC_AVPHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert free_memory() == 40_960

    def unknown(_):
        raise ValueError

    monkeypatch.setattr(os, "sysconf", unknown)
    assert free_memory() is None


def test_freed_memory_is_used_again_and_not_asked_for_anew():
    """100 MB, ten times: page by page they are 25 thousand faults a time."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the C library is not GNU's")
    program = """
import resource
from lib.base.memory import keep_freed

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

size = 100 * 2**20
keep_freed()
b"x" * size
before = faults()
for _ in range(10):
    b"x" * size
print(faults() - before)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert int(found.stdout) < 1000, found.stderr
