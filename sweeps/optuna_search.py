"""Optuna's TPE through Ray Tune: each suggestion becomes a trial with a folder of its own."""

import math
from pathlib import Path
from typing import Any

from sweeps.job import Job
from sweeps.options import Options
from sweeps.search import Dimension
from sweeps.store import Trial, read_trial

ATTEMPTS = 200
"""Suggestions in a row that lead to nothing new before the search counts as exhausted."""


def searcher(job: Job, options: Options) -> Any:
    """Make a searcher for Ray Tune, whose suggestions are `{"directory": ...}`.

    It learns from the job's earlier trials, gives those first that an earlier run did not finish,
    and then what TPE suggests.
    """
    import optuna
    from ray.tune.search import Searcher
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {f"d{at}": _distribution(optuna, item) for at, item in enumerate(job.dimensions)}
    ranking, place = options.sweep, job.place
    worst = max if ranking.mode == "min" else min

    class Suggestions(Searcher):
        def __init__(self) -> None:
            super().__init__(metric="score", mode=ranking.mode)
            self._inner = OptunaSearch(
                space=space, metric="score", mode=ranking.mode, seed=options.search.seed
            )
            self._first = list(job.directories)
            self._folders: dict[str, tuple[Path, str | None]] = {}
            self._scores: list[float] = []
            for position, trial in zip(job.places, job.earlier, strict=True):
                score = self._score(trial)
                if score is not None:
                    named = {f"d{at}": value for at, value in enumerate(position)}
                    self._inner.add_evaluated_point(named, score)

        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that we never make.
            return Searcher, ()

        def suggest(self, trial_id: str) -> Any:
            assert place
            if self._first:
                directory = self._first.pop(0)
                self._folders[trial_id] = directory, None
                return {"directory": str(directory)}
            for attempt in range(ATTEMPTS):
                key = f"{trial_id}/{attempt}"
                params = self._inner.suggest(key)
                assert params is not None
                made = place([params[name] for name in space])
                if made is not None:
                    self._folders[trial_id] = made, key
                    return {"directory": str(made)}
                self._inner.on_trial_complete(key, error=True)
            return Searcher.FINISHED

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            directory, key = self._folders.pop(trial_id)
            score = self._score(read_trial(directory))
            if key is not None:
                told = None if score is None else {"score": score}
                self._inner.on_trial_complete(key, told, error=score is None)

        def _score(self, trial: Trial) -> float | None:
            """A trial's best; the worst of all so far for one without, so that TPE avoids it."""
            score, _ = trial.best_of(ranking.metric)
            if score is not None and math.isfinite(score):
                self._scores.append(score)
                return score
            diverged = trial.status == "diverged"
            return worst(self._scores) if diverged and self._scores else None

        def save(self, checkpoint_path: str) -> None:
            """Nothing: our folders are the state."""

        def restore(self, checkpoint_path: str) -> None:
            raise NotImplementedError

    return Suggestions()


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if (interval := dimension.interval) is None:
        return optuna.distributions.CategoricalDistribution(range(dimension.size))
    if interval.integer:
        kind = optuna.distributions.IntDistribution
        return kind(int(interval.start), int(interval.end), log=interval.log)
    return optuna.distributions.FloatDistribution(interval.start, interval.end, log=interval.log)
