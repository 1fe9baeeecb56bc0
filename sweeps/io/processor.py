"""The processor of this machine, as the operating system describes it."""

import platform
from pathlib import Path


def cpuinfo_lines() -> list[str]:
    """Return the lines of /proc/cpuinfo; none on a system that has no such file."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def processor_name() -> str:
    """Return the processor's model name, or the architecture where the system does not name it."""
    lines = cpuinfo_lines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
