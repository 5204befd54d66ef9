"""python -m experiments.adversarial: a preset, or fool IN OUT --target CLASS."""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.adversarial")
