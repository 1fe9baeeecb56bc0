"""A trial's compiled functions with its text on the device: start, compile, advance, evaluate."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from lm.backend.data_parallel import first_replica, replicate
from lm.config import Config, TrainConfig
from lm.data.batches import to_streams
from lm.data.dataset import Dataset
from lm.data.windows import num_predictions, steps_per_epoch
from lm.model.initializers import init_scales
from lm.model.types import Params
from lm.optim.optimizer import Hyperparameters, hyperparameters
from lm.optim.schedule import (
    config_at_step,
    learning_rate,
    rate_factor,
    steps_until_change,
)
from lm.training.functions import build_functions, make_static_config
from lm.training.heldout import HeldOut, make_windows, mean_loss, perplexity
from lm.training.metrics import CurvePoint, collect_updates, curve_points
from lm.training.randomness import StepRandomness
from lm.training.state import TrainState
from lm.training.warm_start import warm_started


@dataclass(frozen=True)
class TrainReport:
    """Metrics of the updates since the last report."""

    steps: int
    """Updates since the report before."""
    seconds: float
    """Wall time of these updates."""
    metrics: dict[str, float]
    """By TensorBoard tag, means over these updates."""
    finite: bool
    """Whether every loss and gradient was a finite number."""
    points_before: list[CurvePoint]
    """Points of the trial's curves before the report (`log.scalars_every`)."""


class DeviceText(NamedTuple):
    """A text on the device, laid out for the batches of a configuration."""

    streams_lb: Array
    """i32[L, B]: the training text, a column a stream."""
    steps_per_epoch: int
    tokens: dict[str, int]
    """Tokens of each held-out split that is not empty."""
    held_out: dict[str, HeldOut]
    """Windows of each of these splits."""


def put_on_device(dataset: Dataset, train: TrainConfig) -> DeviceText:
    """Bring a text onto the device."""
    held_out = {"valid": dataset.valid, "test": dataset.test}
    tokens = {split: len(ids) for split, ids in held_out.items() if len(ids)}
    room = max(num_predictions(count, train) for count in tokens.values())
    return DeviceText(
        streams_lb=jnp.asarray(to_streams(dataset.train, train.streams)),
        steps_per_epoch=steps_per_epoch(len(dataset.train), train),
        tokens=tokens,
        held_out={split: make_windows(held_out[split], train, room) for split in tokens},
    )


class Trainer:
    """Trains one configuration; steps and epochs are counted from 0."""

    def __init__(
        self, config: Config, dataset: Dataset, device_text: DeviceText | None = None
    ) -> None:
        """Prepare to train; nothing is compiled yet.

        Args:
          config: of the trial.
          dataset: its text.
          device_text: `put_on_device(dataset, config.train)` where it is there already.
        """
        self.config = config
        self.functions = build_functions(make_static_config(config, len(dataset.vocabulary)))
        self.init_key, self.train_key = jax.random.split(jax.random.key(config.seed))
        self.vocabulary = dataset.vocabulary
        self.text_digest = dataset.digest
        device_text = device_text or put_on_device(dataset, config.train)
        self.streams_lb = device_text.streams_lb
        self.steps_per_epoch = device_text.steps_per_epoch
        self.tokens = device_text.tokens
        self.held_out = device_text.held_out
        self.total_steps = self.steps_per_epoch * config.train.epochs
        self.plateaus: list[int] = []
        """Updates before each decay of `optimizer.schedule=plateau`, in their order."""
        self._hyperparams: tuple[tuple[int, int, int], Hyperparameters] | None = None
        """The last ones, and the epoch, changes and plateaus that they depend on."""

    @cached_property
    def replicated_lb(self) -> Array:
        """The text where `CompiledFunctions.train` reads it."""
        return replicate(self.streams_lb, self.functions.compute.shards)

    @property
    def words_per_step(self) -> int:
        """Words that the recurrence reads in a step."""
        return self.config.train.streams * self.config.train.sequence_length

    def start(self) -> TrainState:
        """The state before the first update."""
        state = self.functions.initialize(self.init_key, init_scales(self.config.model))
        if self.config.init_from is None:
            return state
        words = self.vocabulary.words
        return state._replace(params=warm_started(self.config, words, state.params))

    def compile(self, state: TrainState) -> tuple[TrainState, float]:
        """Compile by taking no step and evaluating no window.

        Returns:
          The state, since the one that goes in is donated; and the seconds that it took.
        """
        began = time.perf_counter()
        hyperparams = self.hyperparams(0)
        state, _ = self.functions.advance(
            state, hyperparams, self.replicated_lb, self.train_key, steps=0
        )
        state = self.functions.flush(state, hyperparams, jnp.bool_(False))
        nothing = self.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self.functions.evaluate(first_replica(state.params), nothing))
        return state, time.perf_counter() - began

    def until_report(self, step: int) -> int:
        """Updates from the report at `step` to the next, at the latest at the epoch's end."""
        left = self.steps_per_epoch - step % self.steps_per_epoch
        return int(min(self.config.train.report_every, left, steps_until_change(self.config, step)))

    def hyperparams(self, step: int) -> Hyperparameters:
        """The hyperparameters of update `step`; their arrays are made where they change."""
        epoch, plateaus = step // self.steps_per_epoch, self._plateaus_until(step)
        changes = sum(change["step"] <= step for change in self.config.train.changes)
        if self._hyperparams is None or self._hyperparams[0] != (epoch, changes, plateaus):
            found = hyperparameters(
                config_at_step(self.config, step), epoch, plateaus, self.total_steps
            )
            self._hyperparams = (epoch, changes, plateaus), found
        return self._hyperparams[1]

    def learning_rate(self, step: int) -> float:
        """The learning rate of update `step`."""
        optimizer = config_at_step(self.config, step).optimizer
        rate = learning_rate(optimizer, step // self.steps_per_epoch, self._plateaus_until(step))
        course = self.hyperparams(step).rate_course
        if course is None:
            return rate
        # By NumPy, for which nothing is compiled.
        return rate * float(rate_factor(jax.device_get(course), np.int32(step), np))  # type: ignore[arg-type]

    def _plateaus_until(self, step: int) -> int:
        return sum(plateau <= step for plateau in self.plateaus)

    def advance(self, state: TrainState, step: int) -> tuple[TrainState, TrainReport]:
        """Train from `step` to the next report; the state that goes in is donated."""
        began = time.perf_counter()
        hyperparams = self.hyperparams(step)
        totals_of_chunks = []
        for after, totals in self.functions.chunks(
            state, hyperparams, self.replicated_lb, self.train_key, self.until_report(step)
        ):
            state = after
            totals_of_chunks.append(totals)
        chunks = jax.device_get(
            totals_of_chunks
        )  # waits for the device; the one transfer of a report
        totals = chunks[-1]
        seconds = time.perf_counter() - began
        steps = int(totals.steps)
        if self.is_flush_due(step + steps):
            state = self.functions.flush(state, hyperparams, jnp.bool_(True))
        updates, finite = collect_updates(chunks), bool(totals.finite)
        return state, self.report(step, updates, seconds=seconds, finite=finite)

    def next_step(
        self, state: TrainState, step: int
    ) -> tuple[TrainState, Hyperparameters, Array, StepRandomness]:
        """The arguments of update `step`, for an observer that looks inside it.

        Returns:
          State, hyperparameters, the text and the random numbers, as
          `lm.training.multi_step.next_step_inputs` takes them; on one device.
        """
        state = first_replica(state)
        randomness = self.functions.presample(self.streams_lb, self.train_key, state.step, 1)
        return state, self.hyperparams(step), self.streams_lb, randomness

    def is_flush_due(self, step: int) -> bool:
        """Whether rows that lag behind are brought up to date before update `step`.

        It is due at an epoch's end, and before the hyperparameters change. It depends on the step
        alone, so that a resumed run does the same.
        """
        if step % self.steps_per_epoch == 0:
            return True
        return config_at_step(self.config, step) != config_at_step(self.config, step - 1)

    def report(
        self, step: int, updates: NDArray[np.float32], *, seconds: float, finite: bool
    ) -> TrainReport:
        """Sum up the updates since a report.

        Args:
          step: updates made before them.
          updates: [updates, 4], the `StepMetrics` of each.
          seconds: that they took.
          finite: whether every loss and gradient was a finite number.
        """
        config, steps = config_at_step(self.config, step), len(updates)
        *before, last = curve_points(step, updates, config.log.scalars_every or len(updates))
        metrics = {
            **last.metrics,
            "train/learning_rate": self.learning_rate(step + steps - 1),
            "time/epoch": (step + steps) / self.steps_per_epoch,
            "time/words_per_second": steps * self.words_per_step / seconds,
        }
        return TrainReport(
            steps=steps, seconds=seconds, metrics=metrics, finite=finite, points_before=before
        )

    def evaluate(self, params: Params, split: str) -> dict[str, float]:
        """Loss in nats per word and perplexity of a held-out split."""
        return self.evaluation(self.functions.evaluate(params, self.held_out[split]), split)

    def evaluation(self, sums: ArrayLike, split: str) -> dict[str, float]:
        """Loss and perplexity of a held-out split, from the sums of its windows."""
        loss = mean_loss(sums, self.tokens[split], self.config.train)
        return {f"{split}/loss": loss, f"{split}/perplexity": perplexity(loss)}
