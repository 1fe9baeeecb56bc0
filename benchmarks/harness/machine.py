"""The machine and the versions that a table was measured with, as lines for RESULTS.md."""

import importlib.util
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = {
    "jax": "JAX",
    "flax": "Flax",
    "optax": "Optax",
    "ray": "Ray",
    "torch": "PyTorch",
    "numpy": "NumPy",
}


def describe() -> str:
    """Processor, cores, memory, GPU, system, versions, date and load, in two sentences."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    versions = [f"{name} {_version(package)}" for package, name in PACKAGES.items()]
    load = psutil.getloadavg()[0]
    gpu = gpu_name() or "no GPU"
    return (
        f"Machine: {cores} cores of {_processor()}, {memory:.0f} GiB, {gpu}, {platform.system()}; "
        f"load {load:.1f} before. Python {platform.python_version()}, "
        f"{', '.join(versions)}. {time.strftime('%Y-%m-%d %H:%M')}."
    )


def gpu_name() -> str | None:
    """The first NVIDIA GPU, as its driver calls it; None where there is none."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    names = done.stdout.strip().splitlines()
    return names[0] if done.returncode == 0 and names else None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(none)"


def _processor() -> str:
    """Name of the processor and its widest vectors, on which matrix products depend."""
    facts: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", "").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
    name = facts.get("model name") or platform.processor() or platform.machine()
    family = f"family {facts['cpu family']} model {facts['model']}" if "cpu family" in facts else ""
    notes = ", ".join(note for note in (family, vectors) if note)
    return f"{name} ({notes})" if notes else name


def has_torch(device: str = "cpu") -> bool:
    """Whether PyTorch is installed, for the CPU or with CUDA and a GPU to use."""
    if not importlib.util.find_spec("torch"):
        return False
    if device == "cpu":
        return True
    program = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", program]).returncode == 0
