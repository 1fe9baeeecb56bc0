"""Optuna's TPE through Ray Tune: each suggestion becomes a trial with a folder of its own."""

import math
from pathlib import Path
from typing import Any

from sweeps.config.options import FrameworkConfig, SweepConfig
from sweeps.plan.pending import PendingTrials
from sweeps.search.samplers import Dimension
from sweeps.store.trial import Trial, read_trial

ATTEMPTS = 200
"""Suggestions in a row that lead to nothing new before the search counts as exhausted."""


class Suggestions:
    """What to train next: trials that an earlier run began, then what TPE suggests."""

    def __init__(self, job: PendingTrials, ranking: SweepConfig, tpe: Any) -> None:
        """Let TPE learn from the job's earlier trials.

        Args:
          job: with dimensions, places and earlier trials.
          ranking: metric and mode.
          tpe: Ray's OptunaSearch over d0, d1, ...: the positions of the dimensions.
        """
        self._job, self._metric, self._tpe = job, ranking.metric, tpe
        self._worst = max if ranking.mode == "min" else min
        self._first = list(job.directories)
        self._folders: dict[str, tuple[Path, str | None]] = {}
        self._scores: list[float] = []
        for position, trial in zip(job.places, job.earlier, strict=True):
            if (score := self._score(trial)) is not None:
                tpe.add_evaluated_point({f"d{at}": x for at, x in enumerate(position)}, score)

    def next(self, trial_id: str) -> Path | None:
        """The folder of the next trial; None where nothing new is found."""
        if self._first:
            self._folders[trial_id] = self._first[0], None
            return self._first.pop(0)
        assert self._job.place
        for attempt in range(ATTEMPTS):
            key = f"{trial_id}/{attempt}"
            params = self._tpe.suggest(key)
            made = self._job.place([params[f"d{at}"] for at in range(len(self._job.dimensions))])
            if made is not None:
                self._folders[trial_id] = made, key
                return made
            self._tpe.on_trial_complete(key, error=True)
        return None

    def ended(self, trial_id: str) -> None:
        """Tell TPE what became of a trial."""
        directory, key = self._folders.pop(trial_id)
        score = self._score(read_trial(directory))
        if key is not None:
            told = None if score is None else {"score": score}
            self._tpe.on_trial_complete(key, told, error=score is None)

    def _score(self, trial: Trial) -> float | None:
        """A trial's best; the worst of all so far for one that diverged, so that TPE avoids it."""
        score, _ = trial.best_of(self._metric)
        if score is not None and math.isfinite(score):
            self._scores.append(score)
            return score
        diverged = trial.status == "diverged"
        return self._worst(self._scores) if diverged and self._scores else None


def build_searcher(job: PendingTrials, options: FrameworkConfig) -> Any:
    """Make a searcher for Ray Tune, whose suggestions are `{"directory": ...}`."""
    import optuna
    from ray.tune.search import Searcher
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mode = options.sweep.mode
    space = {f"d{at}": _distribution(optuna, item) for at, item in enumerate(job.dimensions)}
    tpe = OptunaSearch(space=space, metric="score", mode=mode, seed=options.search.seed)
    suggestions = Suggestions(job, options.sweep, tpe)

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
            """Nothing: our folders are the state."""

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
