"""A trial's folder: what is written before it starts, and what can be read back afterwards.

| file              | contents                                                          |
|-------------------|-------------------------------------------------------------------|
| config.yaml       | the resolved configuration                                        |
| overrides.yaml    | the overrides that make it, a list of strings                     |
| trial.json        | fingerprint, settings, and the command that runs it alone         |
| provenance.json   | git commit, packages, machine, command, seed, device, threads,    |
|                   | `lanes`: width of the pack that it trained in, if it did          |
| provenance.diff   | uncommitted changes, where there were any                         |
| metrics.csv, events.out.tfevents.* | every report                                     |
| result.json       | status and final values (see `sweeps.run.run`)                        |
| error.txt         | the traceback of a failed trial                                   |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory, read_json, write_json, write_text
from sweeps.store.provenance import Provenance
from sweeps.store.status import DONE


@dataclass(frozen=True)
class TrialSpec:
    """What a trial is, whatever becomes of it."""

    config: Mapping[str, Any]
    """Resolved, plain values only."""
    overrides: tuple[str, ...]
    """Hydra overrides that make this configuration."""
    settings: Mapping[str, str]
    """Key of a swept or given option, in full -> label."""
    fingerprint: str
    """Of what defines its result."""
    command: str
    """Runs it alone."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Configuration group -> the file chosen."""
    origin: str = ""
    """What names it, in hexadecimal; empty: its fingerprint."""
    verify: str = ""
    """Runs it again and compares, given its folder; empty: nothing does."""
    as_text: Sequence[str] = ()
    """Keys of `settings` that TensorBoard's table shows as text; see
    `sweeps.tensorboard.hparams`."""


@dataclass(frozen=True)
class Trial:
    """A trial's folder as it stands; `status` is `waiting` before its first start."""

    directory: Path
    fingerprint: str
    status: str
    settings: dict[str, str] = field(default_factory=dict)
    """Key of a swept or given option, in full -> label."""
    command: str = ""
    """Runs it alone."""
    verify: str = ""
    """Runs it again and compares, given its folder; empty: nothing does."""
    as_text: Sequence[str] = ()
    """Keys of `settings` that TensorBoard's table shows as text."""
    origin: str = ""
    """What names it: its fingerprint; of a population's trial, that of what it was planned as."""
    step: int = 0
    total_steps: int | None = None
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    error: str | None = None
    stopped_by: str | None = None
    """The rule that stopped it: the scheduler's kind, or `time`."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to compute."""
        return self.status in DONE

    def is_over(self, rule: str, limit: float | None) -> bool:
        """Whether nothing is left to compute under a scheduler's rule and a limit in seconds."""
        if self.done or self.status != "stopped":
            return self.done
        if self.stopped_by != "time":
            return self.stopped_by == rule
        return limit is not None and self.seconds >= limit

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


def write_trial(directory: Path, spec: TrialSpec, provenance: Provenance) -> None:
    """Make or refresh a trial's folder; its results stay.

    Args:
      directory: created with its parents where missing.
      spec: what the trial is.
      provenance: of the running program; the configuration's `seed`, if any, is added.

    Raises:
      UserError: the folder cannot be written, or holds a trial with another fingerprint.
    """
    make_directory(directory)
    earlier = read_json(directory / "trial.json") or {}
    if earlier.get("fingerprint", spec.fingerprint) != spec.fingerprint:
        raise UserError(
            f"{directory} holds a result of a different configuration or of different data; "
            "move it away, or choose another name or output_dir=DIR."
        )
    write_text(directory / "config.yaml", to_yaml(dict(spec.config)))
    write_text(directory / "overrides.yaml", to_yaml(list(spec.overrides)))
    write_json(directory / "provenance.json", {"seed": spec.config.get("seed"), **provenance.facts})
    if provenance.diff:
        write_text(directory / "provenance.diff", provenance.diff + "\n")
    else:
        (directory / "provenance.diff").unlink(missing_ok=True)
    # Last: a folder counts as a trial's once this file is there.
    describe_trial(directory, spec)


def describe_trial(directory: Path, spec: TrialSpec) -> None:
    """Write what identifies a trial, if that is not what its folder says already."""
    earlier = read_json(directory / "trial.json") or {}
    described = {
        "fingerprint": spec.fingerprint,
        "origin": spec.origin or spec.fingerprint,
        "settings": dict(spec.settings),
        "choices": dict(spec.choices),
        "command": spec.command,
        "verify": spec.verify,
        "as_text": list(spec.as_text),
    }
    if described != earlier:
        write_json(directory / "trial.json", described)


def read_trial(directory: Path) -> Trial:
    """Read a trial's folder; a missing or damaged result counts as `waiting`."""
    known = read_json(directory / "trial.json") or {}
    known |= read_json(directory / "result.json") or {}
    known = {key: known[key] for key in Trial.__dataclass_fields__ if key in known}
    if "settings" in known:  # of labels, `inf` reads as a number
        known["settings"] = {key: str(text) for key, text in known["settings"].items()}
    return Trial(**{"fingerprint": "", "status": "waiting", **known, "directory": directory})


def read_config(directory: Path) -> dict[str, Any]:
    """Read a trial's resolved configuration."""
    config = _read_yaml(directory / "config.yaml")
    assert isinstance(config, dict)
    return config


def read_overrides(directory: Path) -> list[str]:
    """Read the overrides that make a trial's configuration."""
    overrides = _read_yaml(directory / "overrides.yaml")
    assert isinstance(overrides, list)
    return overrides


def _read_yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def correct_result(directory: Path, **facts: Any) -> None:
    """Put right what a trial could not write itself, for its process is gone."""
    result = read_json(directory / "result.json") or {}
    write_json(directory / "result.json", {**result, **facts})


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
        raise cannot_write(directory, error) from error
    return aside


def to_yaml(values: Any) -> str:
    """Plain values as a file shows them."""
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
