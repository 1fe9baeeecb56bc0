"""Ray Tune's controller for many trials, which keeps nothing of those that have ended.

Left to itself, Tune goes through all trials in each step, keeps some 30 kB of each, and writes all
of them as JSON twice. Here the trials' folders are the state of a sweep, and nothing is ever
restored from Tune's.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch


@contextmanager
def lean_controller(*, forgets_ended: bool, max_waiting: int | None = None) -> Iterator[None]:
    """In this context, Tune runs its trials by the controller of `make_controller`."""
    controller = make_controller(forgets_ended=forgets_ended, max_waiting=max_waiting)
    with (
        patch("ray.tune.tune.TuneController", controller),
        # To count callbacks, Tune imports MLflow and Weights & Biases where they are installed,
        # which takes seconds. Nothing is counted where usage statistics are off.
        patch("ray.air._internal.usage.tag_callbacks", lambda callbacks: False, create=True),
    ):
        yield


def make_controller(*, forgets_ended: bool, max_waiting: int | None = None) -> type:
    """Return the class that stands in for Ray's `TuneController`.

    Args:
      forgets_ended: whether nothing reads a trial after its end; a population's scheduler does, and
        a part of the user's own may.
      max_waiting: trials that Tune holds beside those that run; None: its own number, 200 and more,
        which lets clusters grow. Tune asks Ray for the resources of each of them.
    """
    from ray.tune.execution.tune_controller import TuneController

    class Controller(TuneController):
        def update_max_pending_trials(self, max_pending_trials: int | None = None) -> None:
            super().update_max_pending_trials(max_pending_trials or max_waiting)

        def on_step_end(self) -> None:
            super().on_step_end()  # type: ignore[no-untyped-call]
            self._trials_to_cache.clear()  # of those that `save_to_dir` would write
            if forgets_ended and self._stopped_trials:
                ended = self._stopped_trials
                # In place: callbacks and Tune's own functions hold this list.
                self._trials[:] = [trial for trial in self._trials if trial not in ended]
                ended.clear()

        def save_to_dir(self) -> None:
            """Write a state without trials; Tune looks whether there is one."""
            path = Path(self.experiment_state_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"trial_data": []}))

    return Controller
