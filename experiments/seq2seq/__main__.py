"""python -m experiments.seq2seq [smoke|notebook|laptop|paper] [--field value ...]"""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.seq2seq")
