"""Files whole or absent, one writer a folder, and a disk that refuses."""

import errno
import json
import os
import subprocess

import pytest
from papers.toy import experiment as toy_experiment
from toy_runs import TWO_SEEDS, assert_same_run

from lib.base.errors import UserError
from lib.base.files import flat, lines_of, only_writer, read_json, write_atomically, write_json


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        write_atomically(path, b"{}")
    assert read_json(path) == {"a": 1}


def test_json_has_no_word_for_what_is_not_finite(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"\0" * 9])
def test_a_damaged_file_is_named(content, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("below", ["missing", "file/below"])
def test_a_missing_file_is_named(below, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="no such file") as caught:
        read_json(tmp_path / below)
    assert caught.value.code == 2


def test_flat_names_leaves_by_their_path():
    assert flat({"a": 1, "b": {"c": [2], "d": {"e": 3}}}) == {"a": 1, "b.c": [2], "b.d.e": 3}


def test_a_folder_has_one_writer(tmp_path):
    with only_writer(tmp_path / "run"):
        with pytest.raises(UserError, match="another run is writing there") as caught:
            with only_writer(tmp_path / "run"):
                pass
    assert caught.value.code == 2
    with only_writer(tmp_path / "run"):
        pass


def test_two_runs_do_not_write_one_folder(whole, run):
    with only_writer(whole):
        for words in ((*TWO_SEEDS, "--out", whole, "--resume"), ("figures", whole)):
            ended = run(*words)
            assert ended.code == 2
            assert ended.err == f"toy: {whole}: another run is writing there\n"


def test_a_full_disk_is_one_line_and_what_was_saved_stays(run, whole, tmp_path, monkeypatch):
    writes = iter(range(100))

    def fsync(descriptor):
        if next(writes) == 12:
            full()

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("lib.run.recorder.os.fsync", fsync)
        ended = run(*TWO_SEEDS, "--out", folder)
    said = ended.err.splitlines()[-1]
    assert ended.code == 1
    assert said == f"toy: cannot write to {folder}: No space left on device"
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("room", [20, 120])
def test_a_disk_that_is_really_full(room, small_disk, run, spawn, whole):
    filler, folder = small_disk / "filler", small_disk / "run"
    filler.write_bytes(bytes((2048 - room) * 1024))
    # In a process of its own: what is left of a failed write is reported when that ends.
    process = spawn(*TWO_SEEDS, "--out", folder)
    assert process.wait() == 1
    *bar, said = [line for line in process.said().splitlines() if line]
    assert all(line.startswith("adam:") for line in bar) and said.startswith("toy: checkpoint ")
    assert str(folder) in said and said.endswith("No space left on device")
    filler.unlink()
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


def test_the_config_is_written_before_anything_is_computed(run, tmp_path, monkeypatch):
    def stop(*_):
        raise UserError("stop")

    monkeypatch.setitem(toy_experiment.PARTS, "adam", stop)
    assert run("smoke", "--steps", 7, "--out", tmp_path / "run").code == 1
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["config"]["steps"] == 7 and kept["config"]["tuning"] == {"steps": 40}
    assert kept["seeds"] == [0] and kept["preset"] == "smoke"


def test_lines_of_a_file():
    assert lines_of(b"a\r\nb\x0bc\n\nd\n", "x") == ("a", "b\x0bc", "", "d")
    with pytest.raises(UserError) as refused:
        lines_of("é\nfine\n".encode() + b"caf\xe9\n", "in.txt")
    assert str(refused.value) == "in.txt, line 3 is not UTF-8"
