"""python -m tests.benchmarks.rounded PACKAGE WORDS...: what TF32 does to an experiment, without a GPU.

Runs it on a CPU with the operands of every float32 product and convolution, gradients' too, rounded to ten
bits of mantissa as a GPU's TF32 rounds them; sums are float32's. Products that ask for more stay as they are.
"""

import functools
import sys

import jax
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters import mlir

TF32 = {"exponent_bits": 8, "mantissa_bits": 10}


def round_products() -> None:
    """From here on, of this process: products for which JAX would use TF32 on a GPU."""
    for primitive in (jax.lax.dot_general_p, jax.lax.conv_general_dilated_p):
        plain = mlir._platform_specific_lowerings["cpu"][primitive].rule
        rule = functools.partial(_rounded, plain)
        mlir.register_lowering(primitive, rule, platform="cpu")


def _rounded(plain, ctx, lhs, rhs, *, precision, **more):
    asked = (jax.lax.Precision.HIGH,) * 2
    if precision == asked and all(aval.dtype == "float32" for aval in ctx.avals_in):
        lhs, rhs = (stablehlo.reduce_precision(operand, **TF32) for operand in (lhs, rhs))
    return plain(ctx, lhs, rhs, precision=precision, **more)


if __name__ == "__main__":
    from lib.run import cli, precision

    precision.PRODUCTS["float32"] = precision.PRODUCTS["tf32"]
    round_products()
    package = sys.argv.pop(1)
    cli.main(package)
