"""Ends a sweep before its trials: at its time, after failures, where its metric is not reported."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from sweeps.config import check_metric
from sweeps.errors import UserError, differs_by_a_typo
from sweeps.io.console import count_text
from sweeps.store import Trial, TrialStatus, read_trial


class SweepGuard:
    """Looks at the reports and ends of a sweep's trials; one for a whole command."""

    reason: str = ""
    """A sentence on why the sweep is to end now; empty: it goes on."""
    is_time_up: bool = False
    """Whether `sweep.hours` is the reason."""

    def __init__(
        self,
        *,
        metric: str,
        fail_after: int | None = None,
        hours: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count the time.

        Args:
          metric: tag by which trials are ranked.
          fail_after: number of failed trials that ends the sweep; None: none does.
          hours: time after which the sweep ends; None: no time does.
          clock: seconds; for tests.
        """
        self._metric, self._fail_after, self._hours, self._clock = metric, fail_after, hours, clock
        self._began = clock()
        self._failed: set[str] = set()
        self._tags: dict[str, None] = {}
        self._is_metric_known = False

    def reported(self, directory: Path, tags: Collection[str]) -> None:
        """Take the tags of a trial's report.

        A tag that differs from the metric by a typing error ends the sweep at once. One that is
        alike in another way does not: the loss of another split may come earlier than the metric.

        Args:
          directory: the trial's folder.
          tags: all that the trial has reported since its process started.
        """
        if self._is_metric_known:
            return
        fresh = [tag for tag in tags if tag not in self._tags]
        self._tags |= dict.fromkeys(tags)
        if self._metric in self._tags:
            self._is_metric_known = True
        elif any(differs_by_a_typo(self._metric, tag) for tag in fresh):
            self._refuse_metric(directory)

    def ended(self, trial: Trial) -> None:
        """Take a trial as it ended.

        One that finished, and reported other tags than the metric, ends the sweep where no trial
        has reported the metric.
        """
        self._tags |= dict.fromkeys(trial.metrics)
        self._is_metric_known = self._is_metric_known or self._metric in self._tags
        # A scheduler's trial without a score is told so by its worker, which is a failure.
        unscored = (trial.error or "").startswith(f"sweep.metric={self._metric} ")
        if trial.metrics and (trial.completed or unscored):
            self._refuse_metric(trial.directory)
        if trial.status == TrialStatus.FAILED:
            self.failed([trial.directory.name])

    def failed(self, names: Iterable[str]) -> None:
        """Count trials that failed, each once."""
        self._failed |= set(names)
        if self._fail_after is not None and len(self._failed) >= self._fail_after:
            count = count_text(len(self._failed), "trial")
            self._end(
                f"{count} failed, which ends a sweep with sweep.fail_after={self._fail_after}; the "
                "same command goes on."
            )

    @property
    def is_late(self) -> bool:
        """Whether the time of `sweep.hours` has passed."""
        return self._hours is not None and self._clock() - self._began >= 3600 * self._hours

    def check_time(self) -> None:
        """End the sweep if its time is up."""
        if not self.is_late:
            return
        self.is_time_up = self.is_time_up or not self.reason
        self._end(f"the time of sweep.hours={self._hours:g} is used up; the same command goes on.")

    def _refuse_metric(self, directory: Path) -> None:
        """End the sweep, unless a trial has reported the metric, in an earlier run perhaps."""
        if self._is_metric_known:
            return
        for path in directory.parent.glob("[!.]*/result.json"):
            if self._metric in read_trial(path.parent).metrics:
                self._is_metric_known = True
                return
        try:
            check_metric(self._metric, [list(self._tags)])
        except UserError as error:
            self._end(str(error))

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
