"""A trial's programs with its text on the device: start, compile, advance, evaluate."""

import math
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lm.changes import changed, steps_to_next
from lm.config import Config
from lm.data.batches import streams
from lm.data.tokens import Tokens
from lm.data.windows import predictions, steps_per_epoch
from lm.optimizer import hyperparameters, learning_rate
from lm.perplexity import lay_out, mean_loss
from lm.program import build_program, program_key
from lm.rows import Params
from lm.step import Totals, TrainState


class Advance(NamedTuple):
    """What training up to the next report gave."""

    state: TrainState
    steps: int
    seconds: float
    metrics: dict[str, float]
    """By TensorBoard tag, means over these steps."""
    finite: bool


class Trainer:
    """Trains one configuration; steps and epochs are counted from 0."""

    def __init__(self, config: Config, text: Tokens) -> None:
        self.config = config
        self.program = build_program(program_key(config, len(text.vocabulary)))
        self.init_key, self.train_key = jax.random.split(jax.random.key(config.seed))
        self.streams_lb = jnp.asarray(streams(text.train, config.train.batch_size))
        self.steps_per_epoch = steps_per_epoch(len(text.train), config.train)
        self.total_steps = self.steps_per_epoch * config.train.epochs
        held_out = {"valid": text.valid, "test": text.test}
        self.tokens = {split: len(ids) for split, ids in held_out.items() if len(ids)}
        room = max(predictions(count, config.train) for count in self.tokens.values())
        self.held_out = {
            split: lay_out(held_out[split], config.train, room) for split in self.tokens
        }

    @property
    def words_per_step(self) -> int:
        """Words that the recurrence reads in a step."""
        return self.config.train.batch_size * self.config.train.sequence_length

    def start(self) -> TrainState:
        """The state before the first update."""
        return self.program.initialize(self.init_key)

    def compile(self, state: TrainState) -> tuple[TrainState, float]:
        """Compile by taking no step and evaluating no window; gives the seconds it took."""
        began = time.perf_counter()
        state, _ = self._run(state, self.config, 0, 0)
        state = self.program.settle(state, hyperparameters(self.config, 0), jnp.bool_(False))
        nothing = self.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self.program.evaluate(state.params, nothing))
        return state, time.perf_counter() - began

    def advance(self, state: TrainState, step: int) -> Advance:
        """Train from `step` to the next report, at the latest to the end of the epoch."""
        epoch, position = divmod(step, self.steps_per_epoch)
        wanted = min(self.config.train.report_every, self.steps_per_epoch - position)
        wanted = int(min(wanted, steps_to_next(self.config, step)))
        config = changed(self.config, step)
        began = time.perf_counter()
        state, totals = self._run(state, config, epoch, wanted)
        totals = jax.device_get(totals)  # waits for the device; the one transfer of a report
        seconds = time.perf_counter() - began
        steps = int(totals.steps)
        state = self._settled(state, step + steps)
        metrics = {
            "train/loss": float(totals.sums.loss) / steps,
            "train/grad_norm": float(totals.sums.grad_norm) / steps,
            "train/learning_rate": learning_rate(config.optimizer, epoch),
            "epoch": (step + steps) / self.steps_per_epoch,
            "words_per_second": steps * self.words_per_step / seconds,
        }
        return Advance(state, steps, seconds, metrics, bool(totals.finite))

    def evaluate_epoch(self, params: Params, last: bool) -> dict[str, float]:
        """Validation metrics; after the last epoch those of the test split, if any, too."""
        splits = self.tokens if last else ["valid"]
        return {
            tag: value for split in splits for tag, value in self.evaluate(params, split).items()
        }

    def evaluate(self, params: Params, split: str) -> dict[str, float]:
        """Loss in nats per word and perplexity of a held-out split."""
        sums = self.program.evaluate(params, self.held_out[split])
        loss = mean_loss(sums, self.tokens[split], self.config.train)
        return {f"{split}/loss": loss, f"{split}/perplexity": perplexity(loss)}

    def _settled(self, state: TrainState, step: int) -> TrainState:
        """Settle rows where that is due: by the step alone, so that a resumed run does the same."""
        epoch, position = divmod(step, self.steps_per_epoch)
        config = changed(self.config, step - 1)
        if position == 0:
            epoch -= 1
        elif config == changed(self.config, step):
            return state
        return self.program.settle(state, hyperparameters(config, epoch), jnp.bool_(True))

    def _run(
        self, state: TrainState, config: Config, epoch: int, steps: int
    ) -> tuple[TrainState, Totals]:
        values = hyperparameters(config, epoch)
        return self.program.train(state, values, self.streams_lb, self.train_key, jnp.int32(steps))


def perplexity(loss: float) -> float:
    """exp(loss); infinite where that is too large for a float."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
