"""python -m experiments.deepdream: a preset, or dream IN OUT."""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.deepdream")
