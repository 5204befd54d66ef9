"""python -m experiments.encoder_decoder [smoke|notebook|laptop|paper] [--field value ...]"""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments.encoder_decoder")
