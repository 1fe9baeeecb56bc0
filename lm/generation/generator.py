"""Texts that a trained model writes: any number of them, in batches of one shape.

Since neither the shape of a batch nor a text's place in it depends on how many texts are wanted,
how long they are or how they begin, text n is the same to the bit among 1 and among 1,000, and one
compiled program writes all. Memory is that of one batch: N times V numbers, a few times.

P words of the prompt, N texts side by side, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.backend.execution import texts_at_once
from lm.generation.decode import Choice, Writing, luck
from lm.model.types import Params
from lm.training.functions import Program

WORDS = 256
"""Added in one call of the compiled loop, at most."""


Add = Callable[..., tuple[Writing, Array, Array]]
"""`lm.generation.decode.write` of a model: (texts, words given, luck, steps)."""


class Order(NamedTuple):
    """What is wanted."""

    prompt: NDArray[np.int32]
    """[P], at least one word."""
    words: int
    """Of each text, without the prompt."""
    samples: int
    temperature: float
    """0 takes the likeliest word each time."""
    top_k: int | None
    """Draw from so many of the likeliest words; None: from all."""
    seed: int
    avoid: Sequence[int]
    """Words that are not drawn."""
    scored: bool
    """Whether log-probabilities are wanted."""


class Written(NamedTuple):
    """A text."""

    ids: NDArray[np.int32]
    """[words], without the prompt."""
    log_probability: float
    """Of these words after the prompt, by the model's own softmax over all words, in nats; NaN
    where it was not wanted."""


def write_texts(program: Program, params: Params, order: Order) -> Iterator[Written]:
    """Write texts, one after another as they are ready."""
    at_once = texts_at_once()
    add = _adder(program, params, order)
    first, *given = order.prompt
    begun = program.begin(params, jnp.full(at_once, first, jnp.int32))
    nothing = np.zeros((len(given), at_once), np.float32)
    begun, _, _ = _add(add, begun, np.array(given, np.int32), nothing)
    drawn = np.full(order.words, -1, np.int32)
    for start in range(0, order.samples, at_once):
        lucky = luck([order.seed], order.words, at_once, first=start)
        _, ids, scores = _add(add, begun, drawn, lucky)
        for place in range(min(at_once, order.samples - start)):
            score = scores[:, place].sum(dtype=np.float64) if order.scored else np.nan
            yield Written(ids[:, place], float(score))


def _adder(program: Program, params: Params, order: Order) -> Add:
    """`lm.generation.decode.write` of this model, as it is ordered."""
    most = None
    if order.top_k is not None and order.top_k < len(params["output"]["bias"]):
        most = 1 << (order.top_k - 1).bit_length()  # so that few programs are compiled
    choice = Choice(
        jnp.float32(order.temperature),
        jnp.array(order.avoid, jnp.int32),
        jnp.int32(0 if most is None else order.top_k),
    )
    return partial(program.write, params, choice=choice, most=most, scored=order.scored)


def _add(
    add: Add,
    writing: Writing,
    given: NDArray[np.int32],
    luck_wn: NDArray[np.float32],
) -> tuple[Writing, NDArray[np.int32], NDArray[np.float32]]:
    """Add words to all texts: the given ones, and drawn ones where there is a -1.

    Returns the texts, the words [words, N] and their log-probabilities.
    """
    words, at_once = luck_wn.shape
    ids, scores = np.empty((words, at_once), np.int32), np.empty((words, at_once), np.float32)
    for start in range(0, words, WORDS):
        part = slice(start, start + WORDS)
        count = len(ids[part])
        room = ((0, WORDS - count), (0, 0))
        given_sn = np.pad(np.tile(given[part, None], at_once), room)
        luck_sn = np.pad(luck_wn[part], room)
        writing, new, new_scores = add(writing, given_sn, luck_sn, np.int32(count))
        ids[part], scores[part] = np.asarray(new)[:count], np.asarray(new_scores)[:count]
    return writing, ids, scores
