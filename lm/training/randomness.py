"""What chance decides about the steps of training, drawn ahead of them.

It depends on the key and on a step's number alone. So one small program draws for models of all
shapes, and theirs, which are compiled anew for each, are so much smaller.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from lm.config import LossConfig, TrainConfig
from lm.config.sizes import STEPS_PER_CALL
from lm.data.windows import windows_in_stream
from lm.losses.candidate_sampler import Candidates, sample_log_uniform


class RandomSpec(NamedTuple):
    """What is to be drawn; fixed when it is compiled."""

    samples: int | None
    """Candidates of a sampled loss."""
    vocab_size: int
    windows: int | None
    """Of an epoch, in random order (`predict=last`); None: they follow each other."""


class StepRandomness(NamedTuple):
    """Of one step; or, with a first axis, of several."""

    dropout_key: Array
    candidates: Candidates | None
    """None: the loss looks at all words."""
    start: Array | None
    """i32[]: where its window begins; None: where the one before ends."""


def random_spec(loss: LossConfig, train: TrainConfig, vocab_size: int, length: int) -> RandomSpec:
    """What is drawn for a text of streams of this length."""
    sampled = loss.kind != "softmax"
    windows = None if train.predict == "all" else windows_in_stream(length, train)
    return RandomSpec(loss.samples if sampled else None, vocab_size, windows)


def in_chunks(steps: int) -> Iterator[int]:
    """Parts of so many steps that can be drawn for at once; none at all are one."""
    yield min(steps, STEPS_PER_CALL)
    for done in range(STEPS_PER_CALL, steps, STEPS_PER_CALL):
        yield min(steps - done, STEPS_PER_CALL)


def presample(chance: RandomSpec, key: Array, step: Array, count: ArrayLike) -> StepRandomness:
    """Draw for the steps from `step` on, all of one epoch; gives `STEPS_PER_CALL` rows.

    Args:
      chance: what.
      key: of the training.
      step: i32[], the first step's number.
      count: i32[], rows that are wanted; the candidates of further ones are no words.
    """
    order_key, step_key = jax.random.split(key)
    steps = step + jnp.arange(STEPS_PER_CALL, dtype=jnp.int32)
    keys = jax.vmap(lambda number: jax.random.split(jax.random.fold_in(step_key, number)))(steps)
    start = candidates = None
    if (windows := chance.windows) is not None:
        epoch_key = jax.random.fold_in(order_key, step // windows)
        start = jax.random.permutation(epoch_key, windows)[steps % windows]
    if (samples := chance.samples) is not None:

        def add(row: Array, found: Candidates) -> Candidates:
            one = sample_log_uniform(keys[row, 1], samples, chance.vocab_size)
            return Candidates(found.ids.at[row].set(one.ids), found.tries.at[row].set(one.tries))

        nothing = Candidates(
            jnp.zeros((STEPS_PER_CALL, samples), jnp.int32), jnp.zeros(STEPS_PER_CALL, jnp.int32)
        )
        candidates = lax.fori_loop(0, count, add, nothing)
    return StepRandomness(keys[:, 0], candidates, start)


def presample_lanes(
    chance: RandomSpec, keys: Array, steps: Array, count: ArrayLike
) -> StepRandomness:
    """The same for several trainings, each with a key and a step of its own."""
    drawn: StepRandomness = jax.vmap(lambda key, step: presample(chance, key, step, count))(
        keys, steps
    )
    return drawn
