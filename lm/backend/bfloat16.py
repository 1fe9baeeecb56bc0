"""Matrix products of bfloat16 factors on a CPU.

JAX asks XLA for them by an algorithm of the product (`BF16_BF16_F32`), and XLA's part for CPUs
computes in float32 all the same. So the factors are cast first.
"""

from functools import cache
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core.primitives import dot_general_p
from jax.interpreters import mlir

ALGORITHM = "BF16_BF16_F32"
"""Factors are rounded to bfloat16, sums are float32: a value of `jax.default_matmul_precision`."""


@cache
def cast_factors() -> None:
    """Have programs for CPUs cast the factors of products of `ALGORITHM`, from now on.

    Other products are lowered as before.
    """
    # JAX has no public name for the rule that it has now.
    lower = mlir._platform_specific_lowerings["cpu"][dot_general_p].rule
    lower_cast = mlir.lower_fun(_product_of_casts, multiple_results=False)
    algorithm = lax.DotAlgorithmPreset[ALGORITHM]

    def rule(context: Any, *factors: Any, precision: Any, **choices: Any) -> Any:
        if precision != algorithm:
            return lower(context, *factors, precision=precision, **choices)
        return lower_cast(context, *factors, dimension_numbers=choices["dimension_numbers"])

    mlir.register_lowering(dot_general_p, rule, platform="cpu")


def _product_of_casts(a: Array, b: Array, *, dimension_numbers: Any) -> Array:
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return lax.dot_general(a, b, dimension_numbers, preferred_element_type=jnp.float32)
