"""A trial's second run, in a process of its own, as libraries read their thread counts at import.

python -m sweeps.reproduce.rerun '<JSON of a Rerun>'
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeps.cli.output import prepare_output
from sweeps.config import locate
from sweeps.store import read_config
from sweeps.tracking import Run

LINE_SECONDS = 10.0
"""Seconds between two printed lines of progress."""


@dataclass(frozen=True)
class RerunTask:
    """A trial to run again, as the child process gets it in JSON."""

    directory: str
    """The new trial folder, with its configuration in it."""
    objective: str
    """Dotted path of a function (config, run); of one (configs, runs) if `pack`."""
    pack: bool
    """Whether the trial trained in a pack; it then trains in a pack of its own."""
    metric: str
    """Tag that the sweep ranks by."""
    mode: str
    """`min` where the lowest value is best, else `max`."""
    until: int | None
    """Last step to train; None: to the end."""


def rerun_trial(task: RerunTask, environment: Mapping[str, str]) -> None:
    """Run a trial in a child process, which writes its metrics and status to the trial's folder.

    Args:
      task: the trial to run.
      environment: variables that the child gets in addition to those of this process.

    Raises:
      KeyboardInterrupt: Ctrl-C, after the child, which got it too, has ended.
    """
    command = [sys.executable, "-m", "sweeps.reproduce.rerun", json.dumps(asdict(task))]
    with subprocess.Popen(command, env={**os.environ, **environment}) as child:
        try:
            child.wait()
        except KeyboardInterrupt:
            child.wait()
            raise


class ProgressPrinter:
    """A callback for reports that prints the progress, and ends the run after its last step."""

    def __init__(self, until: int | None) -> None:
        self._until = until
        self._printed_at = time.monotonic()

    def __call__(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Receive a report.

        Raises:
          SystemExit: the last step is reached; its status is 0, which counts as stopped.
        """
        if time.monotonic() - self._printed_at >= LINE_SECONDS:
            self._printed_at = time.monotonic()
            print(f"step {step} of {self._until or total_steps or '?'}", flush=True)
        if self._until is not None and step >= self._until:
            raise SystemExit(0)


def main() -> None:
    """Run the trial of the command line; only the trial's folder says how it ended."""
    prepare_output(goes_on=True)
    task = RerunTask(**json.loads(sys.argv[1]))
    directory, entered = Path(task.directory), False
    on_report = ProgressPrinter(task.until)
    try:
        with Run(directory, metric=task.metric, mode=task.mode, on_report=on_report) as run:
            entered = True
            train, config = locate(task.objective), read_config(directory)
            if task.pack:
                train([config], [run])
            else:
                run.report_returned(train(config, run))
    except (KeyboardInterrupt, Exception):
        if not entered:
            raise
        sys.exit(1)


if __name__ == "__main__":
    main()
