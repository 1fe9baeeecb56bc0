"""Parts of Ray Tune and Optuna of a user's own, which options name by dotted path."""

from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher


class Middle(Searcher):
    """Suggests the middle of each interval, then ever nearer to its start, and listed values."""

    def __init__(self, shrink: float = 0.5, most: int = 100) -> None:
        super().__init__()
        self.shrink, self.most, self.space = shrink, most, {}
        self.told: list[tuple[str, float | None]] = []

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        self._metric, self._mode, self.space, self.count = metric, mode, config, 0
        return True

    def suggest(self, trial_id: str) -> Any:
        if self.count >= self.most:
            return Searcher.FINISHED
        self.count += 1
        share = self.shrink**self.count
        return {
            name: domain.categories[self.count % len(domain.categories)]
            if hasattr(domain, "categories")
            else domain.lower + share * (domain.upper - domain.lower)
            for name, domain in self.space.items()
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self.told.append((trial_id, result and result[self._metric]))


class StopAt(FIFOScheduler):
    """Stops each trial at a time."""

    def __init__(self, time: float) -> None:
        super().__init__()
        self.time = time

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        assert self.metric == "score"
        assert result["score"] is not None
        return TrialScheduler.STOP if result["time"] >= self.time else TrialScheduler.CONTINUE


def stop_at_three() -> StopAt:
    """A function that makes a scheduler."""
    return StopAt(3)


class Notes(Callback):
    """Writes a line for each trial that ends."""

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        with Path("notes.txt").open("a") as file:
            file.write(f"{Path(trial.config['directory']).name}\n")
