"""Where a result comes from: code, packages, machine and command, as far as they can be known."""

import importlib.metadata
import platform
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.io.processor import processor_name


@dataclass(frozen=True)
class Provenance:
    """What is recorded beside a trial: `facts` as JSON, `diff` as a patch file."""

    facts: dict[str, Any]
    diff: str
    """Uncommitted changes of tracked files; empty in a clean tree or outside of git."""


def collect(source: Path) -> Provenance:
    """Describe the running program whose code lies in the folder `source`.

    The command is `sys.orig_argv`, quoted for a shell.
    """
    status = _git(source, "status", "--porcelain", "--untracked-files=normal")
    diff = _git(source, "diff", "HEAD", "--binary") if status else ""
    facts = {
        "git": {
            "commit": _git(source, "rev-parse", "HEAD"),
            "dirty": None if status is None else bool(status),
            "untracked": [line[3:] for line in (status or "").splitlines() if line[:2] == "??"],
        },
        "packages": packages(),
        **machine(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Provenance(facts, diff or "")


def machine() -> dict[str, str]:
    """Where the running program runs: on a cluster a worker's machine is not the command's."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "hostname": socket.gethostname(),
    }


def packages() -> dict[str, str]:
    """Version of every installed distribution."""
    found = {
        distribution.metadata["Name"]: distribution.version
        for distribution in importlib.metadata.distributions()
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command, without its last line break; None where git gives none."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")
