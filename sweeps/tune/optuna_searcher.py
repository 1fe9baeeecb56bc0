"""Optuna's TPE through Ray Tune: each suggestion becomes a trial with a folder of its own."""

import math
from pathlib import Path
from typing import Any

from sweeps.config import FrameworkConfig, SweepConfig
from sweeps.plan import PendingTrials
from sweeps.search import Dimension
from sweeps.store import Trial, TrialStatus, read_trial

ATTEMPTS = 200
"""Suggestions in a row without a new trial after which the search counts as exhausted."""


class Suggestions:
    """Names the trials to train next: those that an earlier run began, then what TPE suggests."""

    def __init__(self, pending: PendingTrials, ranking: SweepConfig, tpe: Any) -> None:
        """Let TPE learn from the trials that are done.

        Args:
          pending: of an adaptive search.
          ranking: metric and mode.
          tpe: Ray's OptunaSearch over d0, d1, ...: the position on each dimension.
        """
        assert pending.search is not None
        self._search, self._metric, self._tpe = pending.search, ranking.metric, tpe
        self._worst = max if ranking.mode == "min" else min
        self._begun = list(pending.directories)
        self._folders: dict[str, tuple[Path, str | None]] = {}
        self._scores: list[float] = []
        for position, trial in zip(pending.search.history_positions, pending.history, strict=True):
            if (score := self._score(trial)) is not None:
                tpe.add_evaluated_point({f"d{index}": x for index, x in enumerate(position)}, score)

    def next(self, trial_id: str) -> Path | None:
        """The folder of the next trial; None: the search is exhausted."""
        if self._begun:
            self._folders[trial_id] = self._begun[0], None
            return self._begun.pop(0)
        for attempt in range(ATTEMPTS):
            key = f"{trial_id}/{attempt}"
            params = self._tpe.suggest(key)
            position = [params[f"d{index}"] for index in range(len(self._search.dimensions))]
            made = self._search.make_trial(position)
            if made is not None:
                self._folders[trial_id] = made, key
                return made
            self._tpe.on_trial_complete(key, error=True)
        return None

    def ended(self, trial_id: str) -> None:
        """Report a trial's score to TPE."""
        directory, key = self._folders.pop(trial_id)
        score = self._score(read_trial(directory))
        if key is not None:
            result = None if score is None else {"score": score}
            self._tpe.on_trial_complete(key, result, error=score is None)

    def _score(self, trial: Trial) -> float | None:
        """A trial's best value; for a diverged one the worst so far, so that TPE avoids it."""
        score, _ = trial.best_of(self._metric)
        if score is not None and math.isfinite(score):
            self._scores.append(score)
            return score
        diverged = trial.status == TrialStatus.DIVERGED
        return self._worst(self._scores) if diverged and self._scores else None


def build_searcher(pending: PendingTrials, options: FrameworkConfig) -> Any:
    """Make the searcher of Ray Tune for an adaptive search; it suggests `{"directory": ...}`."""
    import optuna
    from ray.tune.search import Searcher
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mode = options.sweep.mode
    assert pending.search is not None
    space = {
        f"d{index}": _distribution(optuna, dimension)
        for index, dimension in enumerate(pending.search.dimensions)
    }
    tpe = OptunaSearch(space=space, metric="score", mode=mode, seed=options.search.seed)
    suggestions = Suggestions(pending, options.sweep, tpe)

    class Search(Searcher):
        def suggest(self, trial_id: str) -> Any:
            directory = suggestions.next(trial_id)
            return Searcher.FINISHED if directory is None else {"directory": str(directory)}

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

    return Search(metric="score", mode=mode)


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if (interval := dimension.interval) is None:
        return optuna.distributions.CategoricalDistribution(range(dimension.size))
    if interval.integer:
        kind = optuna.distributions.IntDistribution
        return kind(int(interval.start), int(interval.end), log=interval.log)
    return optuna.distributions.FloatDistribution(interval.start, interval.end, log=interval.log)
