"""Random numbers of training steps, drawn ahead of the steps that use them.

They depend on the key and on the number of the step alone. So one small program draws for models
of all shapes, and the programs that are compiled anew for each shape are smaller.
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
    """Choice of the random numbers that are drawn; fixed when the program is compiled."""

    samples: int | None
    """Candidates of a sampled loss."""
    vocab_size: int
    windows: int | None
    """Windows of an epoch, in random order (`predict=last`); None: windows follow each other."""


class StepRandomness(NamedTuple):
    """Random numbers of one step; with a first axis, of several."""

    dropout_key: Array
    candidates: Candidates | None
    """None: the loss looks at all words."""
    start: Array | None
    """i32[]: where its window begins; None: where the one before ends."""


def random_spec(loss: LossConfig, train: TrainConfig, vocab_size: int, length: int) -> RandomSpec:
    """Choose what is drawn for a text whose streams have this length."""
    sampled = loss.kind != "softmax"
    windows = None if train.predict == "all" else windows_in_stream(length, train)
    return RandomSpec(loss.samples if sampled else None, vocab_size, windows)


def in_chunks(steps: int) -> Iterator[int]:
    """Split steps into calls of at most `STEPS_PER_CALL`; no steps are one call of none."""
    yield min(steps, STEPS_PER_CALL)
    for done in range(STEPS_PER_CALL, steps, STEPS_PER_CALL):
        yield min(steps - done, STEPS_PER_CALL)


def presample(spec: RandomSpec, key: Array, step: Array, count: ArrayLike) -> StepRandomness:
    """Draw for the steps from `step` on, all of one epoch; gives `STEPS_PER_CALL` rows.

    Args:
      spec: what is drawn.
      key: of the training.
      step: i32[], the first step's number.
      count: i32[], rows that are wanted; the candidates of further ones are no words.
    """
    order_key, step_key = jax.random.split(key)
    steps = step + jnp.arange(STEPS_PER_CALL, dtype=jnp.int32)
    keys = jax.vmap(lambda number: jax.random.split(jax.random.fold_in(step_key, number)))(steps)
    start = candidates = None
    if (windows := spec.windows) is not None:
        epoch_key = jax.random.fold_in(order_key, step // windows)
        start = jax.random.permutation(epoch_key, windows)[steps % windows]
    if (samples := spec.samples) is not None:

        def add(row: Array, found: Candidates) -> Candidates:
            one = sample_log_uniform(keys[row, 1], samples, spec.vocab_size)
            return Candidates(found.ids.at[row].set(one.ids), found.tries.at[row].set(one.tries))

        nothing = Candidates(
            jnp.zeros((STEPS_PER_CALL, samples), jnp.int32), jnp.zeros(STEPS_PER_CALL, jnp.int32)
        )
        candidates = lax.fori_loop(0, count, add, nothing)
    return StepRandomness(keys[:, 0], candidates, start)


def presample_lanes(
    spec: RandomSpec, keys: Array, steps: Array, count: ArrayLike
) -> StepRandomness:
    """Draw as `presample` does for the lanes of a pack, each with its own key and step."""
    drawn: StepRandomness = jax.vmap(lambda key, step: presample(spec, key, step, count))(
        keys, steps
    )
    return drawn
