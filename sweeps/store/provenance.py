"""`provenance.json`: where a result comes from, as far as that can be known.

| written by  | keys                                                                        |
|-------------|-----------------------------------------------------------------------------|
| the driver  | seed, git, files (name -> SHA-256), packages, command, started, and the     |
|             | machine's: python, platform, processor, hostname                            |
| a worker    | cpus, gpus, environment (variables), pack (name of its first trial), and    |
|             | the machine's; checkpoints: `saved`, or `deleted` when the trial was done   |
| the program | whatever it passes to `Run.add_provenance`                                  |
| a copy      | copied_from: the folder of the trial in another sweep                       |
| a rerun     | reproduces: the folder of the trial that was run again                      |
| population  | lineage: the changes made to the trial while it ran                         |

The framework reads these keys of the program: compile_seconds and compile_cache
(`sweeps.store.compile_times`), lanes (number of trials in the pack) and volatile_metrics (tags that
a clock measures, so that two runs differ in them).
"""

import hashlib
import importlib.metadata
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.io.atomic import write_text
from sweeps.io.processor import processor_name
from sweeps.store.format import (
    FieldTypes,
    NonNegative,
    PositiveCount,
    read_sound_fields,
    write_fields,
)

PROVENANCE_FILE = "provenance.json"
DIFF_FILE = "provenance.diff"

FACT_TYPES: FieldTypes = {
    "git": dict[str, str | bool | list[str] | None] | None,
    "files": dict[str, str],
    "packages": dict[str, str],
    "command": str,
    "cpus": PositiveCount | None,
    "environment": dict[str, str] | None,
    "pack": str | None,
    "lanes": PositiveCount | None,
    "volatile_metrics": tuple[str, ...],
    "compile_seconds": NonNegative | None,
    "compile_cache": str | None,
    "lineage": list[dict[str, Any]],
    "checkpoints": str | None,
}
"""Types of the facts that the framework reads."""


SAVED, DELETED = "saved", "deleted"
"""What became of a done trial's checkpoints."""


@dataclass(frozen=True)
class Provenance:
    """Records of a trial's origin in its folder."""

    facts: dict[str, Any]
    """Contents of `provenance.json`."""
    diff: str
    """Contents of `provenance.diff`: uncommitted changes of tracked files; empty outside of git."""


def collect(source: Path, files: Sequence[Path] = ()) -> Provenance:
    """Describe the running program whose code lies in the folder `source`.

    The command is `sys.orig_argv`, quoted for a shell.

    Args:
      source: the folder.
      files: of the program, in that folder and below, whose contents are recorded as hashes: not
        every program is kept by git.
    """
    status = _git(source, "status", "--porcelain", "--untracked-files=normal")
    diff = _git(source, "diff", "HEAD", "--binary") if status else ""
    facts = {
        "git": {
            "commit": _git(source, "rev-parse", "HEAD"),
            "dirty": None if status is None else bool(status),
            "untracked": [line[3:] for line in (status or "").splitlines() if line[:2] == "??"],
        },
        **({"files": hashes(source, files)} if files else {}),
        "packages": packages(),
        **machine(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Provenance(facts=facts, diff=diff or "")


def hashes(source: Path, files: Sequence[Path]) -> dict[str, str]:
    """Return name below `source` -> SHA-256 of the content, of each file that can be read."""
    found = {}
    for file in files:
        with suppress(OSError):
            name = file.relative_to(source.resolve()).as_posix()
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def changed_files(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of files that both have, with other contents."""
    return [name for name in recorded if name in now and recorded[name] != now[name]]


def write_provenance(directory: Path, provenance: Provenance, seed: Any = None) -> None:
    """Write a trial's provenance in place of an earlier one.

    Raises:
      UserError: it cannot be written.
    """
    facts = {"seed": seed, **provenance.facts}
    write_fields(directory / PROVENANCE_FILE, facts, durable=False)  # a worker adds to them
    if provenance.diff:
        write_text(directory / DIFF_FILE, provenance.diff + "\n", durable=False)
    else:
        (directory / DIFF_FILE).unlink(missing_ok=True)


def add_provenance(directory: Path, **facts: Any) -> None:
    """Add facts to a trial's `provenance.json`, in place of those of equal names.

    Raises:
      UserError: it cannot be written, or has another format.
    """
    write_fields(directory / PROVENANCE_FILE, {**read_provenance(directory).facts, **facts})


def read_provenance(directory: Path) -> Provenance:
    """Read a trial's provenance; facts that are not recorded or damaged are left out.

    Raises:
      UserError: it has another format.
    """
    patch = directory / DIFF_FILE
    diff = patch.read_text(encoding="utf-8", errors="replace") if patch.exists() else ""
    facts = read_sound_fields(directory / PROVENANCE_FILE, FACT_TYPES)
    return Provenance(facts=facts, diff=diff)


def machine() -> dict[str, str]:
    """Describe this machine. On a cluster a worker's machine is not the driver's."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "hostname": socket.gethostname(),
    }


def packages() -> dict[str, str]:
    """Version of every installed distribution."""
    # Each look at a distribution's metadata reads its file.
    every = [distribution.metadata for distribution in importlib.metadata.distributions()]
    found = {metadata["Name"]: metadata["Version"] for metadata in every}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command, without its last line break; None where git gives none."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")
