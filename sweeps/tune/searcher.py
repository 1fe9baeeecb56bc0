"""A search that learns, as a searcher of Ray Tune: each suggestion becomes a trial's folder."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweeps.analysis.objectives import objective_values
from sweeps.config import FrameworkConfig, Objective, objectives_of
from sweeps.plan import PendingTrials
from sweeps.search.optuna_study import Observation, OptunaStudy
from sweeps.store import Trial, TrialStatus, read_trial
from sweeps.tune.custom_searcher import CustomSearcher

ATTEMPTS = 200
"""Suggestions in a row without a new trial after which the search counts as exhausted. A sampler
that does not learn suggests what it suggested in an earlier run, so the known trials count, too."""


class PositionSearcher(Protocol):
    """Suggests positions, and learns what came of them."""

    @property
    def is_finished(self) -> bool:
        """Whether it has no more positions."""

    def suggest(self, key: str) -> Sequence[float] | None:
        """Return the next position; None: it waits for a result, or is finished."""

    def complete(self, key: str, values: Sequence[float] | None) -> None:
        """Report the values of a suggested position, one for each objective; None: it failed."""


class Suggestions:
    """Names the trials to train next: those that an earlier run began, then what is suggested."""

    def __init__(
        self,
        pending: PendingTrials,
        objectives: Sequence[Objective],
        make_searcher: Callable[[Sequence[Observation]], PositionSearcher],
    ) -> None:
        """Let the searcher learn from the trials that are done, and from earlier sweeps.

        Args:
          pending: of an adaptive search.
          objectives: what is optimised, the ranking metric first.
          make_searcher: makes the searcher, given what is known.
        """
        assert pending.search is not None
        self._search, self._objectives = pending.search, objectives
        self._begun = list(pending.directories)
        self._folders: dict[str, tuple[Path, str | None]] = {}
        self._seen: list[Sequence[float]] = []
        positions = pending.search.history_positions
        self._attempts = ATTEMPTS + len(positions)
        known = [*pending.search.warm_start, *zip(positions, pending.history, strict=True)]
        found = [
            Observation(position=position, values=values)
            for position, trial in known
            if (values := self._values(trial)) is not None
        ]
        self._searcher = make_searcher(found)
        self.is_exhausted = False

    def next(self, trial_id: str) -> Path | None:
        """The folder of the next trial; None: there is none, now or ever."""
        if self._begun:
            self._folders[trial_id] = self._begun[0], None
            return self._begun.pop(0)
        for attempt in range(self._attempts):
            key = f"{trial_id}/{attempt}"
            position = self._searcher.suggest(key)
            if position is None:
                self.is_exhausted = self._searcher.is_finished
                return None
            made = self._search.make_trial(position)
            if made is not None:
                self._folders[trial_id] = made, key
                return made
            self._searcher.complete(key, None)
        self.is_exhausted = True
        return None

    def ended(self, trial_id: str) -> None:
        """Report a trial's values to the searcher."""
        directory, key = self._folders.pop(trial_id)
        values = self._values(read_trial(directory))
        if key is not None:
            self._searcher.complete(key, values)

    def _values(self, trial: Trial) -> Sequence[float] | None:
        """A trial's values; for a diverged one the worst so far, so that the search avoids it."""
        values = self._reported(trial)
        if values is not None:
            self._seen.append(values)
            return values
        if trial.status != TrialStatus.DIVERGED or not self._seen:
            return None
        columns = zip(self._objectives, zip(*self._seen, strict=True), strict=True)
        return [max(column, key=one.loss) for one, column in columns]

    def _reported(self, trial: Trial) -> Sequence[float] | None:
        """The best value of the first metric, and the others at its step, if all are finite."""
        first, *others = self._objectives
        best, step = trial.best_of(first.tag)
        if best is None or not math.isfinite(best):
            return None
        values = [best, *(objective_values(trial, step, others) if others else ())]
        known = [value for value in values if value is not None and math.isfinite(value)]
        return known if len(known) == len(values) else None


def build_searcher(
    pending: PendingTrials, options: FrameworkConfig, say: Callable[[str], None]
) -> Any:
    """Make the searcher of Ray Tune for an adaptive search; it suggests `{"directory": ...}`.

    Args:
      pending: its trials.
      options: of the sweep and its search.
      say: shows a line to the user.

    Raises:
      UserError: the searcher that the options name cannot be made.
    """
    from ray.tune.search import Searcher

    found = pending.search
    assert found is not None
    objectives = objectives_of(options.sweep)

    def make(known: Sequence[Observation]) -> PositionSearcher:
        if options.search.is_own:
            return CustomSearcher(
                found.dimensions, options.search, options.sweep.mode, known, say=say
            )
        return OptunaStudy(found.dimensions, options.search, objectives, known, found.firsts)

    suggestions = Suggestions(pending, objectives, make)

    class Search(Searcher):
        def suggest(self, trial_id: str) -> Any:
            directory = suggestions.next(trial_id)
            if directory is not None:
                return {"directory": str(directory)}
            return Searcher.FINISHED if suggestions.is_exhausted else None

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            suggestions.ended(trial_id)

        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that we never make.
            return Searcher, ()

        def save(self, checkpoint_path: str) -> None:
            """Save nothing: the sweep's folder is the state."""

        def restore(self, checkpoint_path: str) -> None:
            raise NotImplementedError

    return Search(metric="score", mode=options.sweep.mode)
