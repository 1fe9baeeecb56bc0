"""A trial's row in TensorBoard's table of hyperparameters, and its configuration as a text.

Each trial describes itself in its own run, and TensorBoard shows the union of all runs' columns.
It reads the first description in a run, so a run never has more than one.

A column has one type. A word among its numbers would make it a column of words, whose filter hides
the numbers of other sweeps, too. An option whose labels are of several types has therefore a second
column, `<name> as text`, for the trials of that sweep.
"""

import math
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)

from sweeps.labels import parse_number
from sweeps.naming import setting_name, short_keys
from sweeps.store import Trial, TrialStatus, read_config, read_trial
from sweeps.store.provenance import read_provenance
from sweeps.store.trial import DamagedFileError, to_yaml
from sweeps.tensorboard.event_file import EVENT_FILES, append_values, remove_values
from sweeps.tensorboard.protos import empty_tensor, plugin_value, text_value

SESSION_START = "_hparams_/session_start_info"
SESSION_END = "_hparams_/session_end_info"
CONFIG = "trial/config"
"""Tag of the text with the configuration. TensorBoard sorts texts by tag: what a program writes, as
`samples`, comes first."""
EARLIER_CONFIG = "config"
"""Tag of that text in runs of earlier versions."""

HParam = bool | float | str
"""Content of a cell of the table."""

SUCCEEDED = {
    TrialStatus.FINISHED: True,
    TrialStatus.STOPPED: True,
    TrialStatus.DIVERGED: False,
    TrialStatus.FAILED: False,
}
"""Status of a trial that has ended -> whether TensorBoard shows it as a success."""


def start_values(directory: Path) -> list[Any]:
    """Return the values that describe a trial in its run; none where the folder holds no trial."""
    trial = read_trial(directory)
    if not trial.fingerprint:
        return []
    try:
        config = read_config(directory)
    except DamagedFileError:  # its row and its curves do not depend on it
        config = {}
    labels, group = _grouped(trial.settings, _replicate(directory, config))
    names = short_keys(list(labels), others=_options(config))
    cells = dict(
        _cell(name, label, key in trial.text_axes)
        for name, (key, label) in zip(names, labels.items(), strict=True)
    )
    return [
        _session_start(cells, f"{directory.parent.name}/{group}" if group else ""),
        text_value(CONFIG, _markdown(trial, config)),
    ]


def have_mixed_types(labels: Iterable[str]) -> bool:
    """Return whether no column of a single type can show all these labels."""
    types = {type(_typed(label)) for label in labels}
    return types == {NoneType} or len(types) > 1


def end_values(status: TrialStatus) -> list[Any]:
    """Return the values that say how a trial ended; none while it may be resumed."""
    return [_session_end(SUCCEEDED[status])] if status in SUCCEEDED else []


def remove_hparams(directory: Path) -> None:
    """Remove the description of a trial, and how it ended, from its run.

    Raises:
      UserError: its event files cannot be written.
    """
    described = (SESSION_START, SESSION_END, CONFIG, EARLIER_CONFIG)
    for path in directory.glob(EVENT_FILES):
        remove_values(path, keep=lambda value: value.tag not in described)


def rewrite_hparams(directory: Path, status: TrialStatus | None = None) -> None:
    """Replace the description of a trial that is not being trained.

    Args:
      directory: the trial's folder.
      status: how the trial ended; None: as its result says.

    Raises:
      UserError: its event files cannot be written.
    """
    remove_hparams(directory)
    if values := start_values(directory):
        append_values(directory, [*values, *end_values(status or read_trial(directory).status)])


def _replicate(directory: Path, config: Mapping[str, Any]) -> str | None:
    """Return the axis whose values share a row of the table.

    Reproductions and trials that were moved aside have a row of their own: None.
    """
    reproduction = "reproduces" in read_provenance(directory).facts
    moved_aside = ".old-" in directory.name
    sweep = config.get("sweep")
    if reproduction or moved_aside or not isinstance(sweep, Mapping):
        return None
    return sweep.get("replicate")


def _grouped(labels: Mapping[str, str], replicate: str | None) -> tuple[dict[str, str], str]:
    """Return the labels that a row shows, and the name of the group of trials that share the row.

    The name is empty for a trial with a row of its own.
    """
    shared = {key: text for key, text in labels.items() if key != replicate}
    if not shared or len(shared) == len(labels):
        return dict(labels), ""
    return shared, setting_name(dict(zip(short_keys(list(shared)), shared.values(), strict=True)))


def _cell(name: str, label: str, as_text: bool) -> tuple[str, HParam]:
    """Return the name of a label's column, and the content of its cell."""
    value = _typed(label)
    return (f"{name} as text", label) if as_text or value is None else (name, value)


def _typed(label: str) -> HParam | None:
    """Return a label as a value; None for null and infinities, which no typed column can hold."""
    if label in ("true", "false"):
        return label == "true"
    value = parse_number(label)
    if label == "null" or (value is not None and math.isinf(value)):
        return None
    return label if value is None else value


def _options(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of all options, so that an option's column has one name in all sweeps."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _options(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _markdown(trial: Trial, config: Mapping[str, Any]) -> str:
    started = "In the folder that it was started in, run it alone"
    parts = [f"{started}:\n\n```sh\n{trial.train_command}\n```"]
    if trial.reproduce_command:
        here = shlex.quote(os.path.relpath(trial.directory))
        again = "There too, run it again and compare"
        parts.append(f"{again}:\n\n```sh\n{trial.reproduce_command} {here}\n```")
    return "\n\n".join([*parts, f"```yaml\n{to_yaml(dict(config))}```"])


def _session_start(cells: Mapping[str, HParam], group: str) -> Any:
    """Return the value that describes a trial; without a group it has a row of its own.

    TensorBoard's columns are those of all runs only while no run describes the whole experiment.
    """
    info = SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, cell in cells.items():
        if isinstance(cell, bool):
            info.hparams[name].bool_value = cell
        elif isinstance(cell, str):
            info.hparams[name].string_value = cell
        else:
            info.hparams[name].number_value = cell
    return _hparams_value(SESSION_START, HParamsPluginData(session_start_info=info))


def _session_end(succeeded: bool) -> Any:
    """Return the value that says how a trial ended."""
    status = STATUS_SUCCESS if succeeded else STATUS_FAILURE
    info = SessionEndInfo(status=status, end_time_secs=time.time())
    return _hparams_value(SESSION_END, HParamsPluginData(session_end_info=info))


def _hparams_value(tag: str, data: Any) -> Any:
    # TensorBoard reads the metadata, and skips a value that has nothing else.
    return plugin_value(tag, "hparams", empty_tensor(), data.SerializeToString())
