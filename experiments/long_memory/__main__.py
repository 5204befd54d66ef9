"""python -m experiments.long_memory [smoke|notebook|laptop|paper] [--field value ...]"""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.long_memory")
