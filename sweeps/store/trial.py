"""A trial's folder: what is written before it starts, and what can be read back afterwards.

| file                               | contents                                                  |
|------------------------------------|-----------------------------------------------------------|
| config.yaml                        | the resolved configuration                                |
| overrides.yaml                     | the Hydra overrides that make it, a list of strings       |
| trial.json                         | fingerprint, settings and commands: fields of `TrialSpec` |
| provenance.json                    | code, packages, machine (see `sweeps.store.provenance`)   |
| provenance.diff                    | uncommitted changes, where there were any                 |
| metrics.csv, events.out.tfevents.* | every report                                              |
| result.json                        | status and final values (see `sweeps.store.result`)       |
| error.txt                          | the traceback of a failed trial                           |
| log.txt                            | what its process printed (see `sweeps.store.log`)         |
| tags.json                          | words that a user gave it (see `sweeps.store.tags`)       |
| checkpoints                        | what the objective needs to resume                        |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory, write_text
from sweeps.naming import is_label
from sweeps.store.format import FieldTypes, read_fields, write_fields
from sweeps.store.provenance import Provenance, write_provenance
from sweeps.store.result import BestValue, read_result
from sweeps.store.status import PATIENCE, TIME_LIMIT, TrialStatus
from sweeps.store.tags import read_tags

TRIAL_FILE = "trial.json"
CONFIG_FILE = "config.yaml"
OVERRIDES_FILE = "overrides.yaml"
CHECKPOINTS = "checkpoints"
LOCK_FILE = ".lock"
"""A process that trains the trial holds its lock."""

TRIAL_TYPES: FieldTypes = {
    "fingerprint": str,
    "planned_fingerprint": str,
    "settings": dict[str, str],
    "choices": dict[str, str],
    "train_command": str,
    "reproduce_command": str,
    "text_axes": tuple[str, ...],
}


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """Definition of a trial, which holds before and after it runs."""

    config: Mapping[str, Any]
    """Resolved configuration of plain values."""
    overrides: tuple[str, ...]
    """Hydra overrides that make this configuration."""
    settings: Mapping[str, str]
    """Swept or given option in full -> label."""
    fingerprint: str
    """Hash of all that defines the trial's result."""
    train_command: str
    """Trains the trial alone."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Configuration group -> the file chosen."""
    planned_fingerprint: str = ""
    """Fingerprint at the start of the sweep, which names the folder; empty: `fingerprint`."""
    reproduce_command: str = ""
    """Runs the trial again and compares, given its folder; empty: no command does."""
    text_axes: Sequence[str] = ()
    """Keys of `settings` that TensorBoard's HParams table shows as text (see
    `sweeps.tensorboard.hparams`)."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial's folder as it stands."""

    directory: Path
    fingerprint: str = ""
    """Hash of all that defines the trial's result; empty: the folder holds no trial."""
    status: TrialStatus = TrialStatus.WAITING
    settings: Mapping[str, str] = field(default_factory=dict)
    """Swept or given option in full -> label."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Configuration group -> the file chosen."""
    train_command: str = ""
    """Trains the trial alone."""
    reproduce_command: str = ""
    """Runs the trial again and compares, given its folder; empty: no command does."""
    text_axes: Sequence[str] = ()
    """Keys of `settings` that TensorBoard's HParams table shows as text."""
    planned_fingerprint: str = ""
    """Fingerprint at the start of the sweep. Population based training changes `fingerprint`."""
    step: int = 0
    """Updates made at the last report."""
    total_steps: int | None = None
    seconds: float = 0.0
    """Training time of the history that is kept."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Last value of each tag."""
    best: BestValue | None = None
    error: str | None = None
    """One line on how the trial ended."""
    stopped_by: str | None = None
    """Scheduler's kind, `time` or `patience`, if one of them stopped the trial."""
    tags: tuple[str, ...] = ()
    """Words that a user gave it."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to compute."""
        return self.status.is_done or self.completed

    @property
    def completed(self) -> bool:
        """Whether its own objective ended it: all is trained, or its patience was used up."""
        return self.status == TrialStatus.FINISHED or self.stopped_by == PATIENCE

    @property
    def rank(self) -> int:
        """Position of its status in the ranking, 0 for the best."""
        return TrialStatus.FINISHED.rank if self.completed else self.status.rank

    def is_over(self, scheduler: str, time_limit: float | None) -> bool:
        """Whether nothing is left to compute under a scheduler's kind and a limit in seconds."""
        if self.done or self.status != TrialStatus.STOPPED:
            return self.done
        if self.stopped_by != TIME_LIMIT:
            return self.stopped_by == scheduler
        return time_limit is not None and self.seconds >= time_limit

    def best_of(self, metric: str) -> tuple[float | None, int | None]:
        """The best value of a metric and its step; None where another metric was ranked."""
        if self.best is None or self.best.metric != metric:
            return None, None
        return self.best.value, self.best.step

    def summary(self) -> str:
        """Describe in one line how the trial ended."""
        words = [f"{self.status} after {self.seconds:.0f} s"]
        if self.best is not None:
            words.append(f"{self.best.metric} {self.best.value:.5g} at step {self.best.step}")
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
    earlier = _read_trial_file(directory) or {}
    if earlier.get("fingerprint", spec.fingerprint) != spec.fingerprint:
        raise UserError(
            f"{directory} holds a result of a different configuration or of different data; "
            "move it away, or choose another name or output_dir=DIR."
        )
    write_config(directory, spec.config, spec.overrides)
    write_provenance(directory, provenance, seed=spec.config.get("seed"))
    # Last: a folder counts as a trial's once this file exists.
    described = {
        "fingerprint": spec.fingerprint,
        "planned_fingerprint": spec.planned_fingerprint or spec.fingerprint,
        "settings": dict(spec.settings),
        "choices": dict(spec.choices),
        "train_command": spec.train_command,
        "reproduce_command": spec.reproduce_command,
        "text_axes": tuple(spec.text_axes),
    }
    if described != earlier:
        write_fields(directory / TRIAL_FILE, described, durable=False)


def mend_definition(directory: Path, spec: TrialSpec) -> list[str]:
    """Write configuration and overrides of a trial anew where they cannot be read.

    Args:
      directory: the trial's folder.
      spec: what the trial is.

    Returns:
      The names of the files that were written.

    Raises:
      UserError: a file cannot be written.
    """
    mended = []
    for name, read, values in (
        (CONFIG_FILE, read_config, dict(spec.config)),
        (OVERRIDES_FILE, read_overrides, list(spec.overrides)),
    ):
        try:
            read(directory)
        except DamagedFileError:
            write_text(directory / name, to_yaml(values))
            mended.append(name)
    return mended


def write_config(directory: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write a trial's resolved configuration and the Hydra overrides that make it.

    Raises:
      UserError: the folder cannot be written.
    """
    # Not durable: until the trial has a result, the same command makes all of these anew.
    write_text(directory / CONFIG_FILE, _config_text(config), durable=False)
    write_text(directory / OVERRIDES_FILE, to_yaml(list(overrides)), durable=False)


def update_trial(directory: Path, **changes: Any) -> None:
    """Change fields of a trial's `trial.json`.

    Raises:
      UserError: it cannot be written, or has another format.
    """
    write_fields(directory / TRIAL_FILE, {**(_read_trial_file(directory) or {}), **changes})


def read_trial(directory: Path) -> Trial:
    """Read a trial's folder. A missing or damaged result counts as waiting.

    Raises:
      UserError: a file has another format.
    """
    known = {**(_read_trial_file(directory) or {}), **read_result(directory)}
    known = {one.name: known[one.name] for one in fields(Trial) if one.name in known}
    return Trial(**{**known, "directory": directory, "tags": read_tags(directory)})


def _read_trial_file(directory: Path) -> dict[str, Any] | None:
    """Read the fields of a trial's `trial.json`; None where it is missing or damaged."""
    found = read_fields(directory / TRIAL_FILE, TRIAL_TYPES)
    if not found:
        return None
    # These become parts of file names.
    names = [*found.get("settings", {}).values(), *found.get("choices", {}).values()]
    names += [found.get(key, "") for key in ("fingerprint", "planned_fingerprint")]
    return found if all(map(is_label, names)) else None


def read_config(directory: Path) -> dict[str, Any]:
    """Read a trial's resolved configuration.

    Raises:
      DamagedFileError: it is missing or damaged.
    """
    config = _read_yaml(directory / CONFIG_FILE)
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise DamagedFileError(directory / CONFIG_FILE)
    return config


def read_overrides(directory: Path) -> list[str]:
    """Read the Hydra overrides that make a trial's configuration.

    Raises:
      DamagedFileError: they are missing or damaged.
    """
    overrides = _read_yaml(directory / OVERRIDES_FILE)
    if not isinstance(overrides, list) or not all(isinstance(text, str) for text in overrides):
        raise DamagedFileError(directory / OVERRIDES_FILE)
    return overrides


class DamagedFileError(UserError):
    """A file that defines a trial cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is missing or damaged; give the command that trained it again, which writes "
            "it anew, or restore it."
        )


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DamagedFileError(path) from error


def move_aside(directory: Path) -> Path | None:
    """Rename a folder to `<name>.old-<time>`; None where the folder does not exist.

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
    """Plain values as YAML text, in their order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(values, Dumper=dumper, sort_keys=False, allow_unicode=True))


_SECTION_TEXTS: dict[str, str] = {}
"""Name and values of a section of a configuration -> its YAML."""
_MAX_TEXTS = 10_000


def _config_text(config: Mapping[str, Any]) -> str:
    """A configuration as YAML. The trials of a sweep differ in few sections."""
    return "".join(map(_section_text, config.items())) or to_yaml({})


def _section_text(section: tuple[str, Any]) -> str:
    key = repr(section)
    if key not in _SECTION_TEXTS:
        if len(_SECTION_TEXTS) >= _MAX_TEXTS:
            _SECTION_TEXTS.clear()
        _SECTION_TEXTS[key] = to_yaml(dict([section]))
    return _SECTION_TEXTS[key]
