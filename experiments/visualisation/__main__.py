"""python -m experiments.visualisation: a preset, or explain IN OUT.png."""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.visualisation")
