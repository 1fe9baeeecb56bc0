"""Run a trial again from the records in its folder, and compare every value that it reported.

With the same machine, packages and threads, the values must be identical. With other threads or on
another device, sums are computed in another order, so the values are compared within a tolerance.
A trial that trained in a pack runs again in a pack of its own.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.version import add_version
from sweeps.config import Application, framework_section, locate, program_files, source_folder
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line
from sweeps.reproduce.environment_diff import code_changes, machine_changes, package_changes
from sweeps.reproduce.metric_diff import diff_metrics
from sweeps.reproduce.rerun import RerunTask, rerun_trial
from sweeps.reproduce.verdict import TOLERANCE, reach_verdict, reasons_for_tolerance
from sweeps.store import (
    Provenance,
    Trial,
    TrialSpec,
    fingerprint,
    move_aside,
    read_config,
    read_metrics,
    read_sweep,
    read_trial,
    write_trial,
)
from sweeps.store.fingerprint import common_config, conflicts
from sweeps.store.provenance import collect, read_provenance
from sweeps.store.sweep import SWEEP_FILE
from sweeps.store.trial import read_overrides

MACHINE_FACTS = ("python", "platform", "processor", "hostname")
"""Facts of the machine that are printed where they differ."""


@dataclass(frozen=True)
class Request:
    """Arguments of the command."""

    directory: Path
    """The trial's folder."""
    cpus: int | None = None
    """Number of threads; None: as recorded."""
    tolerance: float | None = None
    """Relative tolerance; None: `TOLERANCE` where there is a reason for one, else 0."""
    output: Path | None = None
    """Root of the new folders; None: `reproduced` in the folder of the sweeps."""
    force: bool = False
    """Whether to run although text or options differ."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Values of the application's own options."""


@dataclass(frozen=True)
class OwnOptions:
    """Options of an application that say how a recorded configuration is read here and now."""

    add: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    """Adds them to the command's."""
    apply: Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]] = lambda own, raw: raw
    """(their values by name, recorded configuration) -> the configuration to run."""
    advice: str = ""
    """A sentence on when to give them."""


NO_OPTIONS = OwnOptions()


@exit_on_user_error(goes_on=True)
def main(
    application: Application,
    arguments: Sequence[str] | None = None,
    own_options: OwnOptions = NO_OPTIONS,
) -> int:
    """Run the command.

    Args:
      application: the application's functions.
      arguments: command-line arguments; None for those of this process.
      own_options: further options of the application.

    Returns:
      Exit status: 0 if the trial was reproduced, else 1.
    """
    parser = argparse.ArgumentParser(
        prog=application.reproduce_command,
        description="Run a trial again and compare what it reported.",
    )
    folder = "a trial's folder: outputs/SWEEP/TRIAL"
    parser.add_argument("directory", type=Path, metavar="FOLDER", help=folder)
    parser.add_argument("--cpus", type=int, metavar="N", help="threads (default: as recorded)")
    tolerance = f"relative (default: 0, or {TOLERANCE:g} with other threads or another device)"
    parser.add_argument("--tolerance", type=float, metavar="X", help=tolerance)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="for DIR/SWEEP/TRIAL (default: reproduced/)"
    )
    parser.add_argument("--force", action="store_true", help="run on with other text or options")
    own_options.add(parser)
    add_version(parser)
    known = {one.name for one in fields(Request)}
    values = vars(parser.parse_args(arguments))
    own = {key: values.pop(key) for key in list(values) if key not in known}
    request = Request(**values, own=own)
    return 0 if reproduce(request, application, make_console(), own_options) else 1


def reproduce(
    request: Request,
    application: Application,
    console: Console,
    own_options: OwnOptions = NO_OPTIONS,
) -> bool:
    """Check a trial, run it again and compare the metrics; returns whether it was reproduced.

    Raises:
      UserError: the folder has nothing to compare, or its text or options are others now.
    """
    directory = Path(os.path.abspath(request.directory))
    trial = _readable(directory, request)
    config = own_options.apply(request.own, read_config(directory))
    recorded = read_provenance(directory)
    now = collect(source_folder(application.objective), program_files(application.objective))
    changed = [
        *code_changes(recorded, now),
        *package_changes(recorded.facts.get("packages") or {}, now.facts["packages"]),
        *machine_changes(recorded.facts, now.facts, MACHINE_FACTS),
    ]
    print_line(console, "Not as recorded:" if changed else "Code, packages, machine: as recorded.")
    for line in changed:
        print_line(console, f"  {line}")
    objective, in_pack = _objective(directory, application, recorded)
    try:
        identity = locate(application.identify)(config)
    except UserError as error:
        raise UserError(
            " ".join([f"{directory} cannot run again here: {error}", own_options.advice]).strip()
        ) from error
    if (key := fingerprint(identity)) != trial.fingerprint:
        _refuse(directory, trial, identity, request.force, console)
    cpus, variables = _rerun_environment(request, application, recorded, console)
    target = _new_folder(directory, request, console)
    facts = {"reproduces": str(directory), "cpus": cpus, "environment": variables}
    if "lanes" in recorded.facts:  # a program may round by the width of its pack
        facts["lanes"] = recorded.facts["lanes"]
    spec = _spec(directory, trial, config, key)
    write_trial(target, spec, Provenance(facts={**now.facts, **facts}, diff=now.diff))
    options = framework_section(config, application.root).get("sweep") or {}
    last = read_metrics(directory / "metrics.csv")[-1]["step"]
    until = None if trial.done else int(last)
    metric, mode = str(options.get("metric", "")), str(options.get("mode", "min"))
    task = RerunTask(
        directory=str(target),
        objective=objective,
        pack=in_pack,
        metric=metric,
        mode=mode,
        until=until,
    )
    rerun_trial(task, variables)
    return _compare(request, trial, target, until, console)


def _readable(directory: Path, request: Request) -> Trial:
    """Return the trial, if it can be run again and compared.

    Raises:
      UserError: the folder has no trial or no metrics, or an argument is out of range.
    """
    trial = read_trial(directory)
    if not trial.fingerprint:
        raise UserError(f"{directory} holds no trial; name a trial's folder, outputs/SWEEP/TRIAL.")
    if not read_metrics(directory / "metrics.csv"):
        raise UserError(
            f"{directory} has no metrics, its status is {trial.status}: there is nothing to "
            "compare; run it with the command in its trial.json."
        )
    if request.cpus is not None and request.cpus < 1:
        raise UserError(f"--cpus {request.cpus} is out of range; it must be at least 1.")
    if request.tolerance is not None and not request.tolerance >= 0:
        raise UserError(f"--tolerance {request.tolerance} is out of range; it must be at least 0.")
    return trial


def _objective(directory: Path, application: Application, recorded: Provenance) -> tuple[str, bool]:
    """Return the dotted path of the training function, and whether it takes a pack."""
    if not recorded.facts.get("lanes"):
        return application.objective, False
    if application.pack is None:
        raise UserError(
            f"{directory} was trained in a pack, and this command knows of no packs; use that of "
            "the program that trained it."
        )
    return application.pack, True


def _refuse(
    directory: Path, trial: Trial, identity: Mapping[str, Any], force: bool, console: Console
) -> None:
    """Report that the trial's identity has changed.

    Raises:
      UserError: `force` is not given.
    """
    axes = list(trial.settings)
    in_sweep = (directory.parent / SWEEP_FILE).exists()
    known = read_sweep(directory.parent).common_config if in_sweep else {}
    parts = conflicts(known, common_config([identity], axes), axes)
    where = f" in {', '.join(parts)}" if parts else ""
    found = fingerprint(identity)
    sentence = (
        f"the text or the options of {directory} are not those that it was trained with: its "
        f"fingerprint was {trial.fingerprint[:12]} and is {found[:12]}, they differ{where or ''}"
    )
    if not force:
        raise UserError(f"{sentence}; restore the text and the code, or run on with --force.")
    print_line(console, f"{sentence}.")


def _rerun_environment(
    request: Request, application: Application, recorded: Provenance, console: Console
) -> tuple[int | None, dict[str, str]]:
    """Return the number of CPUs to run on, None if unknown, and its environment variables."""
    cpus = request.cpus or recorded.facts.get("cpus")
    known = recorded.facts.get("environment")
    if known is None:
        print_line(console, "Threads and environment are not recorded; it runs in this command's.")
    variables = dict(known or {})
    if cpus and application.environment and (request.cpus or known is None):
        hook = locate(application.environment)
        other = hook(cpus + 1, 0)
        # Variables that depend on the number of CPUs; those for GPUs stay as they were.
        variables |= {key: text for key, text in hook(cpus, 0).items() if other.get(key) != text}
    return cpus, variables


def _new_folder(directory: Path, request: Request, console: Console) -> Path:
    """Return the empty folder of the second run."""
    root = request.output or directory.parent.parent / "reproduced"
    target = root.absolute() / directory.parent.name / directory.name
    if target.resolve() == directory.resolve():
        raise UserError(f"--output {root} is where the trial itself lies; name another folder.")
    if aside := move_aside(target):
        print_line(console, f"An earlier reproduction is now {aside}.")
    print_line(console, f"It runs again in {target}")
    return target


def _spec(directory: Path, trial: Trial, config: Mapping[str, Any], key: str) -> TrialSpec:
    return TrialSpec(
        config=config,
        overrides=tuple(read_overrides(directory)),
        settings=trial.settings,
        fingerprint=key,
        train_command=trial.train_command,
        choices=trial.choices,
        text_axes=trial.text_axes,
    )


def _compare(
    request: Request, trial: Trial, target: Path, until: int | None, console: Console
) -> bool:
    old, new = read_provenance(trial.directory).facts, read_provenance(target).facts
    for line in machine_changes(old, new, ("cpus", "device")):
        print_line(console, f"  {line}")
    reasons = reasons_for_tolerance(old, new)
    tolerance = request.tolerance
    if tolerance is None:
        tolerance = TOLERANCE if reasons else 0.0
    tables = (read_metrics(folder / "metrics.csv") for folder in (trial.directory, target))
    clocks = {*old.get("volatile_metrics", ()), *new.get("volatile_metrics", ())}
    recorded, now = tables
    diff = diff_metrics(recorded, now, ignored=clocks, until=until)
    reproduced, lines = reach_verdict(diff, trial, read_trial(target), tolerance, reasons)
    for line in lines:
        print_line(console, line)
    return reproduced
