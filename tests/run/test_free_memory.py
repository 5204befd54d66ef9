import os
from pathlib import Path

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
