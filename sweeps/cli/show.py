"""`sweeps show`: a sweep's ranked table as at the end of a run, or all that is known of a trial."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sweeps.analysis import compare_trials
from sweeps.analysis.results import print_results
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import (
    is_open,
    is_running,
    is_sweep,
    is_training,
    read_named_sweep,
    read_named_trial,
)
from sweeps.cli.version import add_version
from sweeps.errors import UserError, did_you_mean
from sweeps.io.console import format_number, make_console, print_line
from sweeps.store import Sweep, Trial, TrialStatus

BOARD_COMMAND = "sweeps board"
UNFINISHED = (TrialStatus.INTERRUPTED, TrialStatus.RUNNING, TrialStatus.WAITING)


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps show") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    console = make_console()
    if is_sweep(options.folder):
        _show_sweep(console, read_named_sweep(options.folder), options.tag)
        return
    trial = read_named_trial(options.folder, "a sweep's folder, or a trial's")
    if options.tag is not None:
        raise UserError("--tag chooses among the trials of a sweep; name a sweep's folder.")
    for line in _trial_lines(trial):
        print_line(console, line)


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Show a sweep's ranked table as at the end of a run, or a trial: its status, "
        "settings, metrics, error, commands and files.",
    )
    add = parser.add_argument
    add(
        "folder",
        metavar="FOLDER",
        help="of a sweep, or of a trial: outputs/SWEEP/TRIAL, or outputs/SWEEP/ID",
    )
    add("--tag", metavar="WORD", help="only the trials of the sweep that have this tag")
    add_version(parser)
    return parser


def tagged(sweep: Sweep, tag: str) -> Sweep:
    """Return a sweep with those of its trials that have a tag.

    Raises:
      UserError: none has.
    """
    found = tuple(one for one in sweep.trials if tag in one.tags)
    if not found:
        known = list(dict.fromkeys(word for one in sweep.trials for word in one.tags))
        raise UserError(
            f"no trial of {sweep.folder} has the tag {tag}; {did_you_mean(tag, known)}."
        )
    return replace(sweep, trials=found)


def _show_sweep(console: Console, sweep: Sweep, tag: str | None) -> None:
    if tag is not None:
        sweep = tagged(sweep, tag)
    if not sweep.trials:
        print_line(console, f"{sweep.folder} has no trials yet.")
        return
    comparison = compare_trials(sweep)
    ranked = [one.trial for one in comparison.trials]
    commands = [one.reproduce_command for one in ranked if one.reproduce_command]
    running = is_running(sweep.folder)
    if running:
        print_line(console, "A command runs this sweep now.")
    print_results(
        console,
        comparison,
        reproduce_command=commands[0] if commands else None,
        board_command=BOARD_COMMAND,
        interrupted=not running and any(one.status in UNFINISHED for one in ranked),
    )


def _trial_lines(trial: Trial) -> Iterator[str]:
    directory = trial.directory
    total = "" if trial.total_steps is None else f" of {trial.total_steps}"
    yield directory.resolve().name
    yield f"status:      {status_text(trial)}, {trial.seconds:.1f} s, step {trial.step}{total}"
    if trial.error:
        yield f"error:       {trial.error}"
    if trial.tags:
        yield f"tags:        {', '.join(trial.tags)}"
    settings = [f"{key}={label}" for key, label in trial.settings.items()]
    yield from _listed("settings:", settings)
    if trial.best is not None:
        value = format_number(trial.best.value)
        yield f"best:        {trial.best.metric} {value} at step {trial.best.step}"
    metrics = [f"{tag} {format_number(value)}" for tag, value in trial.metrics.items()]
    yield from _listed("last:", metrics)
    if trial.train_command:
        yield f"again alone: {trial.train_command}"
    if trial.reproduce_command:
        yield f"verify it:   {trial.reproduce_command} {shlex.quote(str(directory))}"
    yield from _listed("files:", [_file_text(path) for path in sorted(_files(directory))])
    yield f"folder:      {directory.resolve()}"


def _listed(head: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else head:12} {line}"


def status_text(trial: Trial) -> str:
    """Return a trial's status, and whether what it says is still going on."""
    text = trial.status.words
    if trial.status == TrialStatus.STOPPED and trial.stopped_by:
        text += f" by {trial.stopped_by}"
    if trial.status == TrialStatus.RUNNING and not is_open(trial):
        return f"{text} until its process was killed"
    if is_training(trial) and trial.status != TrialStatus.RUNNING:
        return f"{text}, and a process trains it now"
    return text


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if not path.name.startswith(".")]


def _file_text(path: Path) -> str:
    if path.is_dir():
        return f"{path.name}/"
    size = path.stat().st_size
    return f"{path.name}  {size / 1000:,.1f} kB" if size >= 1000 else f"{path.name}  {size} bytes"


if __name__ == "__main__":
    main()
