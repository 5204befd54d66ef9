"""What tests of papers' own commands share: images of any mode, how a command ends, and its help."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from lib.run.cli import main

ROOT = Path(__file__).parent.parent.parent


def image(w: int, h: int, mode: str = "RGB") -> Image.Image:
    """Random levels, of one size always the same."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(w).integers(0, 256, (h, w, channels), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, mode)


def files() -> list[str]:
    """In the folder that a test works in."""
    return sorted(path.name for path in Path().iterdir())


def commander(capsys, package: str, *first: str) -> Callable[..., SimpleNamespace]:
    """`command(*words)`: `code`, `out` and `err` of the paper's command line, given `first` and `words`."""

    def command(*words) -> SimpleNamespace:
        code = 0
        capsys.readouterr()
        try:
            main(package, [*first, *map(str, words)])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return command


def help_without_jax(package: str, *words: str) -> str:
    """What `--help` prints; asserts that neither JAX nor Pillow was imported for it."""
    code = (
        "import sys, atexit, runpy\n"
        "atexit.register(lambda: print('jax' in sys.modules, 'PIL' in sys.modules))\n"
        f"sys.argv[1:] = {[*words, '--help']!r}\n"
        f"runpy.run_module({package!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("False False\n")
    return done.stdout
