"""How a trial stands in TensorBoard's table of hyperparameters, and its configuration as a text.

Each trial tells of itself alone, in its own run: TensorBoard then takes the union of all runs'
columns. It believes the first that it finds in a run, so there is never more than one.

A column has one type. With a word among its numbers it would be one of words, whose filter hides
the numbers, in other sweeps too. An option whose labels are of several types has therefore a second
column, `<name> as text`, for the trials of that sweep.
"""

import math
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from sweeps.io.atomic import read_json
from sweeps.labels import parse_number
from sweeps.naming import setting_name, short_keys
from sweeps.store.trial import Trial, read_config, read_trial, to_yaml
from sweeps.tensorboard.event_file import EVENT_FILES, append_values, remove_values
from sweeps.tensorboard.protos import (
    SESSION_END,
    SESSION_START,
    Setting,
    session_end,
    session_start,
    text_value,
)

CONFIG = "config"
"""Tag of the text."""
SUCCEEDED = {"finished": True, "stopped": True, "diverged": False, "failed": False}
"""Statuses of trials that have ended: that a rule stopped a trial is no failure of it."""


def start_values(directory: Path) -> list[Any]:
    """What a trial's run tells of it from the start; nothing where the folder holds no trial."""
    trial = read_trial(directory)
    if not trial.fingerprint:
        return []
    config = read_config(directory)
    labels, group = _grouped(trial.settings, _replicate(directory, config))
    names = short_keys(list(labels), others=_options(config))
    cells = dict(
        _cell(name, label, key in trial.as_text)
        for name, (key, label) in zip(names, labels.items(), strict=True)
    )
    return [
        session_start(cells, f"{directory.parent.name}/{group}" if group else ""),
        text_value(CONFIG, _markdown(trial, config)),
    ]


def have_mixed_types(labels: Iterable[str]) -> bool:
    """Whether no column of one type can show all these labels, in the order of their type."""
    types = {type(_typed(label)) for label in labels}
    return types == {NoneType} or len(types) > 1


def end_values(status: str) -> list[Any]:
    """What a trial's run tells of its end; nothing while it may go on."""
    return [session_end(SUCCEEDED[status])] if status in SUCCEEDED else []


def remove_hparams(directory: Path) -> None:
    """Take back what a trial's run tells of it.

    Raises:
      UserError: its event files cannot be written.
    """
    for path in directory.glob(EVENT_FILES):
        remove_values(
            path, keep=lambda value: value.tag not in (SESSION_START, SESSION_END, CONFIG)
        )


def rewrite_hparams(directory: Path, status: str | None = None) -> None:
    """Let the run of a trial that is not being trained tell of it what is true now.

    Args:
      directory: the trial's folder.
      status: None: as its result says.

    Raises:
      UserError: its event files cannot be written.
    """
    remove_hparams(directory)
    if values := start_values(directory):
        append_values(directory, [*values, *end_values(status or read_trial(directory).status)])


def _replicate(directory: Path, config: Mapping[str, Any]) -> str | None:
    """The axis whose values share a row of the table; none of what repeats a trial as it was."""
    again = "reproduces" in (read_json(directory / "provenance.json") or {})
    aside = ".old-" in directory.name
    return None if again or aside else (config.get("sweep") or {}).get("replicate")


def _grouped(labels: Mapping[str, str], replicate: str | None) -> tuple[dict[str, str], str]:
    """The settings that a table shows, and what those have in common that share them."""
    shared = {key: text for key, text in labels.items() if key != replicate}
    if not shared or len(shared) == len(labels):
        return dict(labels), ""
    return shared, setting_name(dict(zip(short_keys(list(shared)), shared.values(), strict=True)))


def _cell(name: str, label: str, as_text: bool) -> tuple[str, Setting]:
    """A column and what stands in it."""
    value = _typed(label)
    return (f"{name} as text", label) if as_text or value is None else (name, value)


def _typed(label: str) -> Setting | None:
    """A label as a value; None where it is nothing that a column of one type could hold."""
    if label in ("true", "false"):
        return label == "true"
    value = parse_number(label)
    if label == "null" or (value is not None and math.isinf(value)):
        return None
    return label if value is None else value


def _options(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of all options: a column's name is the same in every sweep of a program."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _options(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _markdown(trial: Trial, config: Mapping[str, Any]) -> str:
    parts = [f"Run alone:\n\n```sh\n{trial.command}\n```"]
    if trial.verify:
        here = shlex.quote(os.path.relpath(trial.directory))
        parts.append(f"Run again and compare:\n\n```sh\n{trial.verify} {here}\n```")
    return "\n\n".join([*parts, f"```yaml\n{to_yaml(dict(config))}```"])
