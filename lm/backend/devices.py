"""A process's share of the machine: threads, CPU devices of JAX, GPU memory; facts about both."""

import importlib.metadata
import importlib.util
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.processor import cpuinfo_lines

DEVICES = "JAX_NUM_CPU_DEVICES"
"""Environment variable of JAX: as how many devices the CPU appears. A user's value is kept."""

_device_count = ContextVar("at_work", default=1)
"""Number of devices that the program being traced is sharded over."""


def environment(cpus: int, gpus: float) -> dict[str, str]:
    """Return the environment that holds a worker process to its share of the machine.

    It has to be set before JAX is imported.

    Args:
      cpus: threads of XLA's CPU client.
      gpus: GPUs of a trial; a fraction reserves that share of one's memory.

    Raises:
      UserError: a trial is to have a GPU, and the JAX that is installed here can use none.
    """
    if gpus and not has_gpu_plugin():
        raise no_gpu(gpus)
    threads = {**_threads(cpus), DEVICES: str(_devices(cpus))}
    if gpus == 0:
        return {
            **threads,
            "JAX_PLATFORMS": "cpu",
        }  # Ray does not hide GPUs from tasks that ask for none
    share = min(gpus, 1.0)
    return {**threads, "XLA_CLIENT_MEM_FRACTION": f"{0.9 * share:.3f}"}  # a tenth for CUDA itself


def has_gpu_plugin() -> bool:
    """Return whether the JAX that is installed here has a part for GPUs; JAX is not imported.

    It is a plugin, a package of its own, which JAX finds by its entry point or within
    `jax_plugins`; in some builds it stands within jaxlib.
    """
    plugins = [plugin.name for plugin in importlib.metadata.entry_points(group="jax_plugins")]
    plugins += [path.name for folder in _folders("jax_plugins") for path in folder.glob("xla_*")]
    if any(re.search("cuda|rocm", plugin) for plugin in plugins):
        return True
    return any(
        any((folder / kind).glob("_versions*.so"))
        for folder in _folders("jaxlib")
        for kind in ("cuda", "rocm")
    )


def _folders(package: str) -> list[Path]:
    """Return the folders of a package, which is not imported; none where it is not installed."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]


def require_gpu(gpus: float) -> None:
    """Refuse to train where a trial has a GPU that JAX does not use.

    Args:
      gpus: GPUs of the trial; of 0 nothing is required.

    Raises:
      UserError: JAX computes on the CPU.
    """
    import jax

    if gpus and jax.default_backend() == "cpu":
        raise no_gpu(gpus)


def no_gpu(gpus: float) -> UserError:
    """Return the error for a trial with a GPU that JAX cannot use."""
    return UserError(
        f"sweep.gpus_per_trial={gpus:g}, but this JAX has no CUDA; pip install 'lm-sweeps[gpu]', "
        "or give sweep.gpus_per_trial=0."
    )


def set_devices() -> None:
    """Set the number of CPU devices for a process that is no worker, before JAX is imported."""
    os.environ.setdefault(DEVICES, str(_devices(runtime_environment()["cpus"])))


def describe() -> str:
    """Return the name of JAX's device, such as `cpu` or `NVIDIA H200`."""
    import jax

    return str(jax.devices()[0].device_kind)


@contextmanager
def data_parallel(devices: int) -> Iterator[None]:
    """Trace and compile, inside the block, for `devices` devices that share the cores."""
    token = _device_count.set(devices)
    try:
        yield
    finally:
        _device_count.reset(token)


def has_one_thread() -> bool:
    """Whether a CPU device has one thread, as in the trials of a sweep."""
    import jax

    return jax.default_backend() == "cpu" and runtime_environment()["cpus"] == _device_count.get()


def prefers_eigen() -> bool:
    """Whether Eigen computes the matrix products of training and evaluation.

    XLA's default is YNNPACK. Eigen was measured to be faster with one thread of an Intel processor
    with AVX-512.
    """
    facts = " ".join(processor())
    return has_one_thread() and "GenuineIntel" in facts and "avx512f" in facts


def processor() -> set[str]:
    """Return what is known of the processor's model and instruction sets, as lines of text."""
    wanted = ("vendor_id", "cpu family", "model", "flags", "CPU part", "Features")
    facts = {line for line in cpuinfo_lines() if line.startswith(wanted)}
    return facts | {platform.machine(), platform.processor()}


def runtime_environment() -> dict[str, Any]:
    """Return what this process's results depend on besides the program.

    Returns:
      `cpus`: threads of XLA's CPU client. `environment`: the variables that give another process
      the same threads and settings of JAX.
    """
    # As XLA counts them: NPROC, else the cores that this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    cpus = _positive_int_env("NPROC") or available
    settings = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(("JAX_", "XLA_"))
    }
    return {"cpus": cpus, "environment": {**_threads(cpus), **settings}}


def _devices(cpus: int) -> int:
    """Return the number of CPU devices for `cpus` cores; more than two were not measured."""
    return min(cpus, _positive_int_env(DEVICES) or 2)


def _positive_int_env(variable: str) -> int | None:
    """Return the value of an environment variable if it is a whole number of at least 1."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() and int(text) > 0 else None


def _threads(cpus: int) -> dict[str, str]:
    return {"NPROC": str(cpus), "OMP_NUM_THREADS": str(cpus)}
