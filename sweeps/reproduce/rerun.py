"""A trial's second run, in a process of its own: libraries read their thread counts as they load.

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

from sweeps.config.hooks import locate
from sweeps.run import Run
from sweeps.store.trial import read_config

LINE_SECONDS = 10.0
"""Time between two lines that say how far the run has come."""


@dataclass(frozen=True)
class RerunTask:
    """What the child needs to know."""

    directory: str
    """The new folder, with its configuration in it."""
    objective: str
    """Dotted path of a function (config, run); of one (configs, runs) if `pack`."""
    pack: bool
    """Whether the trial trained in a pack: it does so again, by itself."""
    metric: str
    mode: str
    until: int | None
    """Last step that is wanted; None: to the end."""


def rerun_trial(rerun: RerunTask, environment: Mapping[str, str]) -> None:
    """Run a trial in a child process; whatever becomes of it is in the trial's folder.

    Args:
      rerun: which trial.
      environment: variables that the child gets on top of this process' own.

    Raises:
      KeyboardInterrupt: Ctrl-C, after the child, which got it too, has ended.
    """
    command = [sys.executable, "-m", "sweeps.reproduce.rerun", json.dumps(asdict(rerun))]
    with subprocess.Popen(command, env={**os.environ, **environment}) as child:
        try:
            child.wait()
        except KeyboardInterrupt:
            child.wait()
            raise


class ProgressPrinter:
    """Says how far the run has come, and ends it after the last step that is wanted."""

    def __init__(self, until: int | None) -> None:
        self._until = until
        self._told = time.monotonic()

    def __call__(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Take a report."""
        if time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            print(f"step {step} of {self._until or total_steps or '?'}", flush=True)
        if self._until is not None and step >= self._until:
            raise SystemExit(0)


def main() -> None:
    """Run the trial that the command line describes; how it ended is told by its folder alone."""
    rerun = RerunTask(**json.loads(sys.argv[1]))
    directory, entered = Path(rerun.directory), False
    watch = ProgressPrinter(rerun.until)
    try:
        with Run(directory, metric=rerun.metric, mode=rerun.mode, on_report=watch) as run:
            entered = True
            train, config = locate(rerun.objective), read_config(directory)
            train([config], [run]) if rerun.pack else train(config, run)
    except (KeyboardInterrupt, Exception):
        if not entered:
            raise
        sys.exit(1)


if __name__ == "__main__":
    main()
