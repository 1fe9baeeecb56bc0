"""Callbacks: observers of training.

Training knows nothing of its observers but this protocol. `lm.objective` chooses them.
"""

from typing import Protocol

from lm.model.types import Params
from lm.training.state import TrainState


class Callback(Protocol):
    """An observer of one trial. A subclass overrides what it needs; no method changes training.

    Steps count the updates that were made. A state is as training has it between two updates:
    rows may lag behind (`lm.optim.lazy_rows`), and its buffers are used up by the next update.
    """

    def compile(self, state: TrainState) -> None:
        """Compile what later calls need, before the clock of training starts.

        Called once for all trials that share compiled functions.
        """
        return

    def on_train_begin(self, state: TrainState) -> None:
        """See the state before the first update; not called for a trial that is resumed."""
        return

    def is_due(self, previous: int, step: int) -> bool:
        """Whether `on_report` is wanted at `step`; the report before was at `previous`, or -1."""
        return False

    def on_report(self, state: TrainState, step: int) -> dict[str, float]:
        """See the state at a report; gives metrics, by TensorBoard tag, for it.

        At step 0, before the first update, there is no report: the metrics are dropped.
        """
        return {}

    def on_epoch(self, params: Params, step: int) -> dict[str, float]:
        """See the evaluated parameters after an epoch; gives metrics for its report."""
        return {}
