"""What the Neural Turing Machine paper states. Light: imports no JAX."""

from lib.run.claims import Claim

CLAIMS = ()
