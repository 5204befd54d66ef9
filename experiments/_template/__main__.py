"""python -m experiments._template [smoke|laptop|paper] [--field value ...]"""

from lib.run.cli import main

if __name__ == "__main__":
    main("experiments._template")
