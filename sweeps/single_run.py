"""One trial trained alone, in this process: a run that the same command finds and goes on with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeps import naming
from sweeps.config import parse_overrides
from sweeps.io.console import print_line
from sweeps.store import (
    Provenance,
    TrialSpec,
    TrialStatus,
    move_aside,
    read_trial,
    write_trial,
)
from sweeps.store.trial import mend_definition
from sweeps.tensorboard.hparams import rewrite_hparams
from sweeps.tensorboard.recovery import restore_damaged_metrics
from sweeps.tracking import Interrupt, OnReport, Run, Stop

FOLDER = "single"
"""Folder of single runs, below the root of all results."""


@dataclass(frozen=True, kw_only=True)
class SingleRun:
    """A single run whose configuration is checked."""

    directory: Path
    spec: TrialSpec
    metric: str
    mode: str
    keep_checkpoints: str = "best"
    """`sweep.keep_checkpoints`."""

    @property
    def is_done(self) -> bool:
        """Whether the run is trained."""
        earlier = read_trial(self.directory)
        return earlier.done and earlier.fingerprint == self.spec.fingerprint

    def move_aside(self, console: Console) -> None:
        """Rename an earlier folder of the run, if there is one."""
        if aside := move_aside(self.directory):
            print_line(console, f"The earlier run is now {aside}.")
            rewrite_hparams(aside)

    def keep(self, console: Console, fresh: str) -> None:
        """Say that the run is trained, and write anew what is damaged of it.

        Args:
          console: where to say it.
          fresh: the option that trains it again.
        """
        mend_definition(self.directory, self.spec)
        restore_damaged_metrics(read_trial(self.directory))
        print_line(console, f"Trained before; {fresh} trains it again.")

    def train(
        self,
        objective: Callable[[Mapping[str, Any], Run], Any],
        provenance: Provenance,
        on_report: OnReport | None = None,
        interrupt: Interrupt | None = None,
        on_phase: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Train the run, or go on with it.

        Args:
          objective: trains it; it may return the metric, or metrics by tag.
          provenance: what is recorded of code and machine.
          on_report: sees each report.
          interrupt: is entered; a signal stops the run as it stops the trials of a sweep. None: the
            objective handles signals itself.
          on_phase: sees what the objective does before its first report.

        Raises:
          KeyboardInterrupt: a signal came, and the run has stopped.
        """
        write_trial(self.directory, self.spec, provenance)
        with Run(
            self.directory,
            metric=self.metric,
            mode=self.mode,
            on_report=on_report,
            on_phase=on_phase,
            keep_checkpoints=self.keep_checkpoints,
            stop_signal=lambda seconds: (
                Stop(TrialStatus.INTERRUPTED) if interrupt and interrupt.requested else None
            ),
        ) as run:
            run.report_returned(objective(self.spec.config, run))
        trial = read_trial(self.directory)
        if interrupt and interrupt.requested and trial.status == TrialStatus.INTERRUPTED:
            raise interrupt.error(f"interrupted at step {trial.step}")


def run_name(settings: Mapping[str, str], fingerprint: str) -> str:
    """Return a single run's name: the options that were given, and what identifies its result.

    Args:
      settings: option in full -> label.
      fingerprint: of the run.
    """
    short = naming.short_keys(list(settings))
    return naming.trial_name(dict(zip(short, settings.values(), strict=True)), fingerprint)


def given_settings(overrides: Sequence[str], leave_out: Callable[[str], bool]) -> dict[str, str]:
    """Return option in full -> label, of the overrides that change what is computed.

    Args:
      overrides: of the command line.
      leave_out: option in full -> whether it changes nothing.
    """
    return {
        item.key_or_group: naming.label(item.value())
        for item in parse_overrides(overrides)
        if not leave_out(item.key_or_group)
    }
