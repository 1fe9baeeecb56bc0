"""Record gradient flow of some batches, for TensorBoard's plugin and its curves.

An event for each batch, at the number of updates made before it, holds

| tag                         | contents                                                           |
|-----------------------------|--------------------------------------------------------------------|
| `gradient_flow/overview`    | tensor [components, 3]: largest norm, sum of norms, horizon        |
| `gradient_flow/COMPONENT`   | blob: the measures, as `lm.gradient_flow.codec` has them           |
| `gradient_flow/labels`      | blob, JSON: the words read, expected and predicted, by sequence    |

The report of that update has the horizon of each component, `gradient_flow/horizon/COMPONENT`. With
`gradient_flow.horizon` it has the share of the gradient's norm beyond it, too,
`gradient_flow/beyond/COMPONENT`.
"""

import json
import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from lm.gradient_flow.codec import MEASURES, ComponentRecord, encode
from lm.gradient_flow.itemize import BatchWords, GradientFlow, ItemizeSpec, itemize
from lm.gradient_flow.measures import ComponentMeasures, component_names
from lm.gradient_flow.plugin.tags import LABELS, OVERVIEW, PLUGIN, PREFIX, VERSION
from lm.training.callbacks import Callback
from lm.training.functions import CompiledFunctions
from lm.training.state import TrainState
from lm.training.trainer import Trainer
from sweeps.tensorboard import Blob, Summary, Tensor
from sweeps.tracking import Run

log = logging.getLogger(__name__)

HORIZON_THRESHOLD = 0.1
"""Share of its peak below which a loss's contribution ends the horizon of that loss."""

Values = NDArray[np.float32]


@lru_cache(maxsize=8)
def compile_itemize(functions: CompiledFunctions) -> Callable[..., GradientFlow]:
    """Compile `lm.gradient_flow.itemize.itemize`, once for all trials that share their functions.

    The function takes an `ItemizeSpec`, for each of which it is compiled, and what
    `Trainer.next_step` gives.
    """
    compiled: Callable[..., GradientFlow] = functions.compile_beside(
        itemize, recurrence="scan", static_argnums=0
    )
    return compiled


class GradientFlowRecorder(Callback):
    """Records gradient flow in a run, as often as `gradient_flow` says."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._run = run
        wanted = trainer.config.gradient_flow
        self._every = recording_interval(wanted.every, wanted.records, trainer.total_steps)

    def compile(self, state: TrainState) -> None:
        """Compile by itemizing the gradient once."""
        self._itemize(state, 0)

    def is_due(self, previous: int, step: int) -> bool:
        """Return whether the batch after update `step` is recorded; `previous`: the last report."""
        every = self._every
        if every is None or step >= self._trainer.total_steps:  # no update is made with that batch
            return False
        return step // every > previous // every

    def on_report(self, state: TrainState, step: int) -> dict[str, float]:
        """Record the gradient flow of the next batch; returns numbers for the report."""
        if step == 0 and self._every != self._trainer.config.gradient_flow.every:
            log.warning(
                "Gradient flow is recorded every %d updates, for gradient_flow.records=%d of them.",
                self._every,
                self._trainer.config.gradient_flow.records,
            )
        flow = self._itemize(state, step)
        model = self._trainer.config.model
        records = {
            name: to_record(flow.measured[name])
            for name in component_names(model.cell, model.layers)
        }
        content = json.dumps(self._describe(records)).encode()
        overviews = [overview_of(record) for record in records.values()]
        summaries: dict[str, Summary] = {OVERVIEW: Tensor(overviews, PLUGIN, content)}
        for name, record in records.items():
            summaries[f"{PREFIX}{name}"] = Blob(encode(record), PLUGIN, content)
        labels = json.dumps(self._labels(flow)).encode()
        summaries[LABELS] = Blob(labels, PLUGIN, content)
        self._run.log_summaries(step, summaries)
        numbers = {
            f"{PREFIX}horizon/{name}": overview[2]
            for name, overview in zip(records, overviews, strict=True)
        }
        for name, share in flow.shares_beyond.items():
            numbers[f"{PREFIX}beyond/{name}"] = float(share)
        return numbers

    def _itemize(self, state: TrainState, step: int) -> GradientFlow:
        """Itemize the gradient of update `step` and fetch it."""
        wanted = self._trainer.config.gradient_flow
        spec = ItemizeSpec(wanted.batch_items, wanted.horizon, wanted.units)
        itemized = compile_itemize(self._trainer.functions)
        found: GradientFlow = jax.device_get(itemized(spec, *self._trainer.next_step(state, step)))
        return found

    def _describe(self, records: dict[str, ComponentRecord]) -> dict[str, Any]:
        """Metadata of the run for the plugin."""
        config = self._trainer.config
        return {
            "v": VERSION,
            "cell": config.model.cell,
            "layers": config.model.layers,
            "T": config.train.sequence_length,
            "items": config.gradient_flow.batch_items,
            "level": config.data.level,
            "measures": list(MEASURES),
            "components": list(records),
            "horizon": config.gradient_flow.horizon,
        }

    def _labels(self, flow: GradientFlow) -> dict[str, Any]:
        words: BatchWords = flow.words
        decode = self._trainer.vocabulary.decode
        return {
            "inputs": [decode(column) for column in words.inputs.T],
            "targets": [decode(column) for column in words.targets.T],
            "predictions": [decode(column) for column in words.predictions.T],
            "losses": [[_number(loss) for loss in column] for column in words.losses.T],
            "correct": (words.predictions == words.targets).T.tolist(),
            "share_beyond": {
                name: _number(flow.shares_beyond.get(name, 0.0)) for name in flow.measured
            },
        }


def recording_interval(every: int | None, records: int | None, updates: int) -> int | None:
    """Updates between two records: `every`, or more, so that a run makes at most `records`."""
    if every is None or records is None:
        return every
    return max(every, -(-updates // records))


def to_record(measured: ComponentMeasures) -> ComponentRecord:
    """Rearrange measures by step and distance into a record by sequence, loss and distance."""
    return ComponentRecord(
        norms=_by_loss(measured.norm),
        mean_abs=_by_loss(measured.mean_abs),
        means=_by_loss(measured.mean),
        units=None if measured.units is None else _by_loss(measured.units),
        input_norms=None if measured.input_norm is None else _by_loss(measured.input_norm),
    )


def _by_loss(by_step: Any) -> Values:
    """Move [T, K, S, ...] at [j, k] to [S, T, K, ...] at [j + k, k]; zero without a step j."""
    values = np.asarray(by_step, np.float32)
    length, reach = values.shape[:2]
    losses, back = np.arange(length)[:, None], np.arange(reach)[None, :]
    steps = losses - back
    found = values[np.maximum(steps, 0), back]
    found[steps < 0] = 0
    return np.moveaxis(found, 2, 0)


def overview_of(record: ComponentRecord) -> list[float]:
    """Overview of a record: largest norm, sum of the norms, and horizon in steps."""
    return [float(record.norms.max()), float(record.norms.sum()), mean_horizon(record.norms)]


def mean_horizon(norms: Values) -> float:
    """Mean number of steps back after which a loss's contribution is below a tenth of its peak.

    Steps are counted from the loss to the first such step beyond the peak, or to the record's end
    where there is none. Losses of the first half of the window are left out, for they see little
    of the past; so are losses without any contribution.

    Args:
      norms: [S, T, K].
    """
    length, reach = norms.shape[1:]
    rows = norms[:, length // 2 :].reshape(-1, reach)
    rows = rows[rows.max(axis=1) > 0]
    if not len(rows):
        return 0.0
    peaks = rows.max(axis=1, keepdims=True)
    beyond_peak = np.arange(reach)[None, :] > rows.argmax(axis=1)[:, None]
    low = beyond_peak & (rows < HORIZON_THRESHOLD * peaks)
    ends = np.where(low.any(axis=1), low.argmax(axis=1), reach)
    return float(ends.mean())


def _number(value: Any) -> float | None:
    """A number for JSON; None where it is not finite."""
    return float(value) if math.isfinite(value) else None
