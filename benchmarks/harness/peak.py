"""The machine's matrix-multiply peak: what a large square float32 product reaches.

`python -m benchmarks.harness.peak jax cpu` measures in its own process, held to as many threads as
its environment says, and prints operations per second.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness.machine import has_torch
from lm.backend.devices import environment
from sweeps.errors import UserError

SIZES = {"cpu": 2048, "gpu": 8192}
TIMES = 12


def measure_peak_flops(threads: int, device: str = "cpu") -> float:
    """Measure operations per second, the best of PyTorch and JAX."""
    libraries = ["jax", "torch"] if has_torch(device) else ["jax"]
    return max(_measure_apart(library, threads, device) for library in libraries)


def _measure_apart(library: str, threads: int, device: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.peak", library, device],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | environment(threads, gpus=0.3 if device == "gpu" else 0),
    )
    if done.returncode:
        raise UserError(f"the peak of {library} cannot be measured: {done.stderr.strip()}")
    return float(done.stdout)


def best_rate(multiply: Callable[[], Any], size: int) -> float:
    """Operations per second of a product that `multiply` computes and waits for."""
    multiply()
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        multiply()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)


def _jax_product(size: int) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    matrix = jnp.ones((size, size), jnp.float32)
    product = jax.jit(jnp.matmul)
    return lambda: product(matrix, matrix).block_until_ready()


def _torch_product(size: int, device: str) -> Callable[[], Any]:
    import torch

    torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as JAX has it
    matrix = torch.ones((size, size), device="cuda" if device == "gpu" else "cpu")

    def multiply() -> None:
        product = matrix @ matrix
        if device == "gpu":
            product[0, 0].item()  # waits

    return multiply


def main(library: str, device: str) -> None:
    """Print operations per second."""
    size = SIZES[device]
    multiply = _jax_product(size) if library == "jax" else _torch_product(size, device)
    print(best_rate(multiply, size))


if __name__ == "__main__":
    main(*sys.argv[1:])
