"""python -m experiments.neural_style: a preset, or --content PHOTO --style PAINTING --out RESULT."""

import sys

from lib.run.cli import main

if __name__ == "__main__":
    words = sys.argv[1:]
    if words and words[0].split("=")[0] in ("--content", "--style"):
        words = ["transfer", *words]
    main("experiments.neural_style", words)
