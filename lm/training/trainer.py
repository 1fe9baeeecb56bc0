"""A trial's programs with its text on the device: start, compile, advance, evaluate."""

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
from lm.generation.decode import uniforms
from lm.generation.prompt import PROMPT_OPTION, choose_prompt
from lm.gradient_flow.itemize import GradientFlow, ItemizeSpec
from lm.model.initializers import init_scales
from lm.model.types import Params
from lm.monitor.statistics import StepStatistics, StepTensors, summarize
from lm.optim.optimizer import Hyperparameters, hyperparameters
from lm.optim.schedule import config_at_step, learning_rate, steps_until_change
from lm.training.functions import build_functions, make_static_config
from lm.training.heldout import HeldOut, make_windows, mean_loss, perplexity
from lm.training.metrics import CurvePoint, Totals, collect_updates, curve_points
from lm.training.randomness import StepRandomness
from lm.training.state import TrainState


@dataclass(frozen=True)
class Advance:
    """What training up to the next report gave."""

    state: TrainState
    steps: int
    seconds: float
    metrics: dict[str, float]
    """By TensorBoard tag, means over these steps."""
    finite: bool
    points_before: list[CurvePoint]
    """Points of its curves before the report (`log.scalars_every`)."""


class DeviceText(NamedTuple):
    """A text on the device, laid out for the batches of a configuration."""

    streams_lb: Array
    steps_per_epoch: int
    tokens: dict[str, int]
    """Of each held-out split that is not empty."""
    held_out: dict[str, HeldOut]


def put_on_device(text: Dataset, train: TrainConfig) -> DeviceText:
    """Bring a text onto the device."""
    held_out = {"valid": text.valid, "test": text.test}
    tokens = {split: len(ids) for split, ids in held_out.items() if len(ids)}
    room = max(num_predictions(count, train) for count in tokens.values())
    return DeviceText(
        jnp.asarray(to_streams(text.train, train.batch_size)),
        steps_per_epoch(len(text.train), train),
        tokens,
        {split: make_windows(held_out[split], train, room) for split in tokens},
    )


class Trainer:
    """Trains one configuration; steps and epochs are counted from 0."""

    def __init__(self, config: Config, text: Dataset, placed: DeviceText | None = None) -> None:
        """Prepare; `placed` is the text where it is on the device already."""
        self.config = config
        self.functions = build_functions(make_static_config(config, len(text.vocabulary)))
        self.init_key, self.train_key = jax.random.split(jax.random.key(config.seed))
        self.vocabulary = text.vocabulary
        self.prompt = choose_prompt(config.log.sample_prompt, config.data, text, PROMPT_OPTION)
        placed = placed or put_on_device(text, config.train)
        self.streams_lb, self.steps_per_epoch, self.tokens, self.held_out = placed
        self.total_steps = self.steps_per_epoch * config.train.epochs

    @cached_property
    def replicated_lb(self) -> Array:
        """The text where `Program.train` reads it."""
        return replicate(self.streams_lb, self.functions.compute.shards)

    @property
    def words_per_step(self) -> int:
        """Words that the recurrence reads in a step."""
        return self.config.train.batch_size * self.config.train.sequence_length

    def start(self) -> TrainState:
        """The state before the first update."""
        return self.functions.initialize(self.init_key, init_scales(self.config.model))

    def compile(self, state: TrainState) -> tuple[TrainState, float]:
        """Compile by taking no step and evaluating no window; gives the seconds it took."""
        began = time.perf_counter()
        state, _ = self._run(state, 0, 0)
        state = self.functions.flush(state, self.values(0), jnp.bool_(False))
        nothing = self.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self.functions.evaluate(first_replica(state.params), nothing))
        self.compile_looks(state)
        return state, time.perf_counter() - began

    def compile_looks(self, state: TrainState) -> None:
        """Compile what looks inside, by looking once."""
        if self.config.log.histogram_every:
            self.probe(state, 0)
        if self.config.log.sample_words:
            self.sample(first_replica(state.params))
        if self.config.gradient_flow.every:
            self.itemise(state, 0)

    def until_report(self, step: int) -> int:
        """Updates from the report at `step` to the next, at the latest at the epoch's end."""
        left = self.steps_per_epoch - step % self.steps_per_epoch
        return int(min(self.config.train.report_every, left, steps_until_change(self.config, step)))

    def values(self, step: int) -> Hyperparameters:
        """Those of update `step`."""
        return hyperparameters(config_at_step(self.config, step), step // self.steps_per_epoch)

    def advance(self, state: TrainState, step: int) -> Advance:
        """Train from `step` to the next report."""
        began = time.perf_counter()
        call = (self.values(step), self.replicated_lb, self.train_key, self.until_report(step))
        turns = []
        for turn in self.functions.chunks(state, *call):
            state, totals = turn
            turns.append(totals)
        turns = jax.device_get(turns)  # waits for the device; the one transfer of a report
        totals = turns[-1]
        seconds = time.perf_counter() - began
        steps = int(totals.steps)
        if self.is_flush_due(step + steps):
            state = self.functions.flush(state, self.values(step), jnp.bool_(True))
        metrics, before = self.summary(step, collect_updates(turns), seconds)
        return Advance(
            state=state,
            steps=steps,
            seconds=seconds,
            metrics=metrics,
            finite=bool(totals.finite),
            points_before=before,
        )

    def probe(self, state: TrainState, step: int) -> StepStatistics:
        """Look inside what update `step` is about to do; brings it to the host."""
        seen = self.functions.probe(*self._next_step(state, step))
        found: StepStatistics | StepTensors = jax.device_get(seen)
        return summarize(found) if isinstance(found, StepTensors) else found

    def itemise(self, state: TrainState, step: int) -> GradientFlow:
        """Itemise the gradient of update `step`; brings it to the host."""
        wanted = self.config.gradient_flow
        extent = ItemizeSpec(wanted.batch_items, wanted.horizon, wanted.units)
        found: GradientFlow = jax.device_get(
            self.functions.itemise(extent, *self._next_step(state, step))
        )
        return found

    def sample(self, params: Params) -> list[str]:
        """Words that continue the prompt; <unk> is not drawn.

        The same random numbers each time, so that only the model makes a difference.
        """
        log, unknown = self.config.log, self.vocabulary.unk_id
        ids = self.functions.sample(
            params,
            jnp.asarray(self.prompt.ids)[:, None],
            jnp.asarray(uniforms([self.config.seed], log.sample_words, samples=1)),
            jnp.float32(log.sample_temperature),
            jnp.array([] if unknown is None else [unknown], jnp.int32),
        )
        return self.vocabulary.decode(np.asarray(ids)[:, 0])

    def is_flush_due(self, step: int) -> bool:
        """Whether lagging rows are settled before update `step`: at an epoch's end, and before the
        hyperparameters change; by the step alone, so that a resumed run does the same."""
        if step % self.steps_per_epoch == 0:
            return True
        return config_at_step(self.config, step) != config_at_step(self.config, step - 1)

    def summary(
        self, step: int, updates: NDArray[np.float32], seconds: float
    ) -> tuple[dict[str, float], list[CurvePoint]]:
        """What the updates since `step` gave.

        Args:
          step: updates made before.
          updates: [updates, 4], of each what `StepMetrics` has.
          seconds: that they took.

        Returns:
          A report's metrics by TensorBoard tag, and the points of its curves before it.
        """
        config, steps = config_at_step(self.config, step), len(updates)
        *before, last = curve_points(step, updates, config.log.scalars_every or len(updates))
        metrics = {
            **last.metrics,
            "train/learning_rate": learning_rate(config.optimizer, step // self.steps_per_epoch),
            "time/epoch": (step + steps) / self.steps_per_epoch,
            "time/words_per_second": steps * self.words_per_step / seconds,
        }
        return metrics, before

    def splits(self, last: bool) -> list[str]:
        """What an epoch ends with: validation; after the last one the test split, if any, too."""
        return list(self.tokens) if last else ["valid"]

    def evaluate_epoch(self, params: Params, last: bool) -> dict[str, float]:
        """Metrics of the splits that an epoch ends with."""
        found: dict[str, float] = {}
        for split in self.splits(last):
            found |= self.evaluate(params, split)
        return found

    def evaluate(self, params: Params, split: str) -> dict[str, float]:
        """Loss in nats per word and perplexity of a held-out split."""
        return self.evaluation(self.functions.evaluate(params, self.held_out[split]), split)

    def evaluation(self, sums: ArrayLike, split: str) -> dict[str, float]:
        """The same, from the sums of the split's windows."""
        loss = mean_loss(sums, self.tokens[split], self.config.train)
        return {f"{split}/loss": loss, f"{split}/perplexity": perplexity(loss)}

    def _run(self, state: TrainState, step: int, steps: int) -> tuple[TrainState, Totals]:
        return self.functions.advance(
            state, self.values(step), self.replicated_lb, self.train_key, steps
        )

    def _next_step(
        self, state: TrainState, step: int
    ) -> tuple[TrainState, Hyperparameters, Array, StepRandomness]:
        """What update `step` is made of, for who looks inside it, on one device."""
        state = first_replica(state)
        draws = self.functions.draw(self.streams_lb, self.train_key, state.step, 1)
        return state, self.values(step), self.streams_lb, draws
