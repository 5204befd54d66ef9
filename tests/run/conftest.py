"""The toy paper (`papers/toy`), run in this process or in one of its own, and runs compared."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from toy_runs import HERE, ROOT, TWO_SEEDS, signals_heard

from lib.run.cli import main


@pytest.fixture
def run(capsys):
    """`run(*words, package=...)` of the command line in this process: code, out, err."""

    def run(*words, package="papers.toy"):
        code = 0
        capsys.readouterr()
        try:
            main(package, [str(word) for word in words])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return run


@pytest.fixture
def spawn(tmp_path):
    """`spawn(*words)`: the command line in a process of its own; `said()`: its stderr so far."""
    started = []

    def spawn(*words, command=("-m", "papers.toy"), **variables):
        stderr = tmp_path / f"stderr-{len(started)}"
        paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
        with stderr.open("w") as file, signals_heard():
            process = subprocess.Popen(
                [sys.executable, *command, *map(str, words)],
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=os.environ | {"TOY_FIGURES": "none"} | paths | variables,
            )
        process.said = stderr.read_text
        started.append(process)
        return process

    yield spawn
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of a run of two seeds that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    main("papers.toy", [*TWO_SEEDS, "--out", str(folder)])
    return folder
