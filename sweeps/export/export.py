"""Export of a sweep by the kind of the store that takes it."""

import importlib.util
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from sweeps.errors import UserError
from sweeps.export.records import UNFINISHED, Changes, Record, records_of
from sweeps.store import Sweep

Export = Callable[[Sweep, Sequence[Record], str, str], tuple[Changes, str]]
"""(sweep, its trials that have ended, target, name) -> what was written, and where it is now."""


class Kind(NamedTuple):
    """A tool that takes trials."""

    package: str
    """Python package that it needs."""
    module: str
    """Has the function `export`."""


KINDS = {
    "optuna": Kind("optuna", "sweeps.export.to_optuna"),
    "mlflow": Kind("mlflow", "sweeps.export.to_mlflow"),
    "wandb": Kind("wandb", "sweeps.export.to_wandb"),
}


def export_sweep(sweep: Sweep, kind: str, target: str, name: str) -> str:
    """Write the trials of a sweep that have ended to another tool's store, each once.

    Args:
      sweep: the sweep.
      kind: a key of `KINDS`.
      target: URL of an Optuna storage or an MLflow server, or a project of Weights & Biases.
      name: of the study, experiment or group.

    Returns:
      A sentence on what was written and where.

    Raises:
      UserError: the tool is not installed, its store cannot be reached or does not fit.
    """
    package, module = KINDS[kind]
    if importlib.util.find_spec(package) is None:
        raise UserError(f"--to {kind} needs the package {package}; pip install 'lm-sweeps[{kind}]'")
    records = records_of(sweep)
    export: Export = import_module(module).export
    changes, where = export(sweep, records, target, name)
    counts = (
        f"{len(changes.new)} new, {len(changes.changed)} changed, {len(changes.same)} as before"
    )
    left = sum(one.status in UNFINISHED for one in sweep.trials)
    left_out = f"; {left} running or waiting are left out" if left else ""
    return f"{sweep.folder.resolve().name}: {counts}{left_out}; {where}"
