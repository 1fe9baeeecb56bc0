"""Where a trial computes: its share of the machine, and the name of what it got."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sweeps.io.processor import cpuinfo_lines

DEVICES = "JAX_NUM_CPU_DEVICES"
"""Says how many devices of JAX the processor is; where the user has set it, that counts."""

_at_work = ContextVar("at_work", default=1)
"""Devices that compute a program together."""


def environment(cpus: int, gpus: float) -> dict[str, str]:
    """Environment of a worker process that holds it to its share; must be set before JAX loads.

    Args:
      cpus: threads of XLA's CPU client.
      gpus: GPUs of a trial; a fraction reserves that share of one's memory.
    """
    threads = {**_threads(cpus), DEVICES: str(_devices(cpus))}
    if gpus == 0:
        return {**threads, "JAX_PLATFORMS": "cpu"}  # Ray does not hide GPUs from who asked for none
    share = min(gpus, 1.0)
    return {**threads, "XLA_CLIENT_MEM_FRACTION": f"{0.9 * share:.3f}"}  # a tenth for CUDA itself


def set_devices() -> None:
    """Set the number of devices for this process, which is no worker; before JAX loads."""
    os.environ.setdefault(DEVICES, str(_devices(surroundings()["cpus"])))


def describe() -> str:
    """The device that JAX computes on, as in `cpu` or `NVIDIA H200`."""
    import jax

    return str(jax.devices()[0].device_kind)


@contextmanager
def data_parallel(devices: int) -> Iterator[None]:
    """Trace and compile for so many devices, which have the cores between them."""
    token = _at_work.set(devices)
    try:
        yield
    finally:
        _at_work.reset(token)


def has_one_thread() -> bool:
    """Whether a CPU's device computes with one thread, as in the trials of a sweep."""
    import jax

    return jax.default_backend() == "cpu" and surroundings()["cpus"] == _at_work.get()


def prefers_eigen() -> bool:
    """Whether matrix products of training and evaluation are Eigen's, not XLA's default, YNNPACK's.

    So it is where it was measured to be faster: with one thread of an Intel processor with AVX-512.
    """
    facts = " ".join(processor())
    return has_one_thread() and "GenuineIntel" in facts and "avx512f" in facts


def processor() -> set[str]:
    """What is known of the processor's model and instruction sets, as lines of text."""
    wanted = ("vendor_id", "cpu family", "model", "flags", "CPU part", "Features")
    facts = {line for line in cpuinfo_lines() if line.startswith(wanted)}
    return facts | {platform.machine(), platform.processor()}


def surroundings() -> dict[str, Any]:
    """What this process' numbers depend on besides the program: threads, and JAX's settings.

    Returns:
      `cpus`: threads of XLA's CPU client; `environment`: variables that give another process the
      same.
    """
    # As XLA counts them: NPROC, else the cores that this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    cpus = _asked("NPROC") or available
    settings = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(("JAX_", "XLA_"))
    }
    return {"cpus": cpus, "environment": {**_threads(cpus), **settings}}


def _devices(cpus: int) -> int:
    """Devices for data parallelism on so many cores; more than two were not measured."""
    return min(cpus, _asked(DEVICES) or 2)


def _asked(variable: str) -> int | None:
    """The number, at least 1, that the user has given a variable of the environment."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() and int(text) > 0 else None


def _threads(cpus: int) -> dict[str, str]:
    return {"NPROC": str(cpus), "OMP_NUM_THREADS": str(cpus)}
