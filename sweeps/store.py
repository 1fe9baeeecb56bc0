"""A trial's folder: what is written before it starts, and what can be read back afterwards.

| file              | contents                                                          |
|-------------------|-------------------------------------------------------------------|
| config.yaml       | the resolved configuration                                        |
| overrides.yaml    | the overrides that make it, a list of strings                     |
| provenance.json   | fingerprint, git commit, packages, machine, command, seed, device |
| provenance.diff   | uncommitted changes, where there were any                         |
| metrics.csv, events.out.tfevents.* | every report                                     |
| result.json       | status and final values (see `sweeps.run`)                        |
| error.txt         | the traceback of a failed trial                                   |
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sweeps.errors import UserError
from sweeps.files import make_directory, read_json, unwritable, write_json, write_text
from sweeps.provenance import Provenance

DONE = ("finished", "diverged")
"""Statuses of trials that are not run again."""


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the canonical JSON of what defines a result."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Trial:
    """A trial's folder as it stands; `status` is `waiting` before its first start."""

    directory: Path
    fingerprint: str
    status: str
    step: int = 0
    total_steps: int | None = None
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    error: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to compute."""
        return self.status in DONE

    def best_of(self, metric: str) -> tuple[float | None, int | None]:
        """The best value of a metric and its step; None where another one was kept, or none."""
        if self.best is None or self.best["metric"] != metric:
            return None, None
        return float(self.best["value"]), int(self.best["step"])

    def summary(self) -> str:
        """How it ended, in one line."""
        words = [f"{self.status} after {self.seconds:.0f} s"]
        if self.best is not None:
            best = self.best
            words.append(f"{best['metric']} {best['value']:.5g} at step {best['step']}")
        if self.error:
            words.append(self.error)
        return ", ".join(words)


def write_trial(
    directory: Path,
    *,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    fingerprint: str,
    provenance: Provenance,
) -> None:
    """Make or refresh a trial's folder; its results stay.

    Args:
      directory: created with its parents where missing.
      config: resolved configuration, plain values only.
      overrides: Hydra overrides that make this configuration.
      fingerprint: of what defines the result.
      provenance: of the running program; the configuration's `seed`, if any, is added.

    Raises:
      UserError: the folder cannot be written, or holds a trial with another fingerprint.
    """
    make_directory(directory)
    earlier = read_json(directory / "provenance.json") or {}
    if earlier.get("fingerprint", fingerprint) != fingerprint:
        raise UserError(
            f"{directory} holds a result of a different configuration or of different data; "
            "move it away, or choose another name or output_dir=DIR."
        )
    facts = {"fingerprint": fingerprint, "seed": config.get("seed"), **provenance.facts}
    write_text(directory / "config.yaml", _yaml(dict(config)))
    write_text(directory / "overrides.yaml", _yaml(list(overrides)))
    write_json(directory / "provenance.json", facts)
    if provenance.diff:
        write_text(directory / "provenance.diff", provenance.diff + "\n")
    else:
        (directory / "provenance.diff").unlink(missing_ok=True)


def read_trial(directory: Path) -> Trial:
    """Read a trial's folder; a missing or damaged result counts as `waiting`."""
    facts = read_json(directory / "provenance.json") or {}
    result = read_json(directory / "result.json") or {"status": "waiting"}
    known = {key: result[key] for key in Trial.__dataclass_fields__ if key in result}
    return Trial(**{**known, "directory": directory, "fingerprint": facts.get("fingerprint", "")})


def read_config(directory: Path) -> dict[str, Any]:
    """Read a trial's resolved configuration."""
    config = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
    assert isinstance(config, dict)
    return config


def set_status(directory: Path, status: str, error: str) -> None:
    """Correct the status of a trial that could not do it itself, for its process is gone."""
    result = read_json(directory / "result.json") or {}
    write_json(directory / "result.json", {**result, "status": status, "error": error})


def move_aside(directory: Path) -> Path | None:
    """Rename a folder to `<name>.old-<time>`; None where there is none.

    Raises:
      UserError: it cannot be renamed.
    """
    if not directory.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = directory.with_name(f"{directory.name}.old-{stamp}")
    try:
        directory.rename(aside)
    except OSError as error:
        raise unwritable(directory, error) from error
    return aside


def _yaml(values: Any) -> str:
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
