"""Killed at any instant, or with damaged files, a resumed run ends like an undisturbed one."""

import contextlib
import random
import shutil
import signal
import time

import pytest
from toy_runs import TWO_SEEDS, assert_same_run, steps, until


def test_a_run_killed_at_any_instant_ends_bitwise_equal(whole, spawn, tmp_path):
    folder = tmp_path / "run"
    checkpoints, rows = folder / "checkpoints", folder / "metrics.jsonl"

    def writing(training, since):
        for folder in (checkpoints / training).glob("*tmp*"):
            with contextlib.suppress(FileNotFoundError):
                return folder.stat().st_ctime > since
        return False

    def written(since):
        return rows.exists() and rows.stat().st_mtime > since + 0.2

    chance = random.Random(0)
    torn = 0
    for number, (moment, delay, how) in enumerate(
        [
            (lambda since: writing("adam", since), 0, signal.SIGKILL),
            (written, chance.uniform(0, 0.2), signal.SIGKILL),
            (lambda since: (folder / "parts" / "adam").exists(), 0, signal.SIGKILL),
            (lambda since: writing("momentum", since), chance.uniform(0, 0.02), signal.SIGKILL),
            (lambda since: writing("momentum", since), 0, signal.SIGKILL),
        ]
    ):
        started = time.time()
        process = spawn(*TWO_SEEDS, "--out", folder, *["--resume"] * (number > 0))
        until(lambda: moment(started) or process.poll() is not None)  # noqa: B023
        time.sleep(delay)
        process.send_signal(how)
        assert process.wait() == -how, process.said()
        torn += any(checkpoints.glob("*/*tmp*"))
    assert torn >= 2  # kills that fell within a checkpoint's writing
    assert not (folder / "result.json").exists()

    process = spawn(*TWO_SEEDS, "--out", folder, "--resume")
    assert process.wait() == 0, process.said()
    assert_same_run(folder, whole)


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(step):
    shutil.rmtree(step)
    step.mkdir()


def flip(step):
    for path in step.glob("state/**/d/*"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


DAMAGE = {
    "truncated array": lambda step: [halve(p) for p in step.glob("state/d/*")],
    "truncated index": lambda step: halve(step / "state" / "manifest.ocdbt"),
    "truncated metadata": lambda step: [halve(p) for p in step.rglob("*") if p.is_file()],
    "missing arrays": lambda step: shutil.rmtree(step / "state"),
    "empty": empty,
    "a flipped bit": flip,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_named_put_aside_and_not_used(damage, whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts" / "momentum")  # or nothing would look at its checkpoints
    broken = folder / "checkpoints" / "momentum" / "40"
    damage(broken)
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    lines = [line for line in ended.err.splitlines() if line.startswith("checkpoint ")]
    assert ended.code == 0 and len(lines) == 1, ended.err
    assert str(broken) in lines[0] and "damaged" in lines[0]
    assert (broken.parent / "damaged-40.0").exists()
    assert_same_run(folder, whole)


def test_two_damaged_checkpoints_and_a_torn_line_of_metrics(whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts" / "momentum")
    for step in (35, 40):
        empty(folder / "checkpoints" / "momentum" / str(step))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"training": "momentum", "st')
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    assert ended.code == 0 and ended.err.count("put aside") == 2
    assert_same_run(folder, whole)


@pytest.mark.parametrize("kept", (-1, 11, 0), ids=("torn last row", "half the rows", "no rows"))
def test_a_checkpoint_without_its_history_is_not_used(kept, whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts")
    rows = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    text = "".join(rows)[:-7] if kept == -1 else "".join(rows[:kept])
    (folder / "metrics.jsonl").write_text(text)
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    assert ended.code == 0 and "metrics.jsonl lacks its row" in ended.err
    assert_same_run(folder, whole)


def test_a_foreign_checkpoint_is_not_used(whole, run, tmp_path):
    other = tmp_path / "other"
    assert run(*TWO_SEEDS, "--seed", 7, "--out", other).code == 0
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "parts" / "adam")
    place = folder / "checkpoints" / "adam" / "40"
    shutil.rmtree(place)
    shutil.copytree(other / "checkpoints" / "adam" / "40", place)
    ended = run(*TWO_SEEDS, "--out", folder, "--resume")
    lines = [line for line in ended.err.splitlines() if line.startswith("checkpoint ")]
    assert ended.code == 0 and len(lines) == 1, ended.err
    assert str(place) in lines[0] and "another run's" in lines[0]
    assert_same_run(folder, whole)


def test_the_last_three_checkpoints_are_kept(whole):
    assert steps(whole, "adam") == steps(whole, "momentum") == [30, 35, 40]


def test_resuming_a_finished_run_changes_no_number(whole, run, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    assert run(*TWO_SEEDS, "--out", folder, "--resume").code == 0
    assert_same_run(folder, whole)


@pytest.mark.parametrize(
    "words, names",
    [
        (("smoke", "--seeds", 2, "--steps", 41), ("config.steps", "40", "41")),
        (("smoke", "--seeds", 2, "--tuning.steps", 41), ("config.tuning.steps",)),
        (("smoke", "--seeds", 3), ("seeds",)),
        (("laptop", "--seeds", 2, "--steps", 40), ("preset", "smoke", "laptop")),
    ],
)
def test_another_config_cannot_resume_a_run(words, names, whole, run):
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    ended = run(*words, "--out", whole, "--resume")
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert all(name in ended.err for name in (str(whole), *names))
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*")} == before


def test_a_run_is_not_written_over(whole, run):
    ended = run(*TWO_SEEDS, "--out", whole)
    assert ended.code == 2 and "--resume" in ended.err and str(whole) in ended.err
