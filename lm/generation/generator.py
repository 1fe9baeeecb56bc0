"""Texts that a trained model writes: any number of them, in batches of one shape.

Since neither the shape of a batch nor a text's place in it depends on how many texts are wanted,
how long they are or how they begin, text n is the same to the bit among 1 and among 1,000, and one
compiled program writes all. Memory is that of one batch: N times V numbers, a few times.

P words of the prompt, N texts side by side, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.generation.decode import DecodeState, SamplingParams, uniforms
from lm.model.types import Params
from lm.training.functions import CompiledFunctions

WORDS_PER_CALL = 256
"""Added in one call of the compiled loop, at most."""


DecodeFunction = Callable[..., tuple[DecodeState, Array, Array]]
"""`lm.generation.decode.decode` of a model: (texts, words given, uniforms, steps)."""


class GenerationRequest(NamedTuple):
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


class GeneratedText(NamedTuple):
    """A text."""

    ids: NDArray[np.int32]
    """[words], without the prompt."""
    log_probability: float
    """Of these words after the prompt, by the model's own softmax over all words, in nats; NaN
    where it was not wanted."""


def batch_size() -> int:
    """Return the number of texts that are written side by side, whatever number is asked for.

    It is fixed because rounding depends on it. On a CPU a single text comes as fast as one reads,
    and many texts take a fifth more time than with the largest batch that fits. A GPU gets a wider
    batch, since it has more to do side by side.
    """
    return 16 if jax.default_backend() == "cpu" else 256


def generate_texts(
    program: CompiledFunctions, params: Params, request: GenerationRequest
) -> Iterator[GeneratedText]:
    """Write texts, one after another as they are ready."""
    at_once = batch_size()
    add = _decode_function(program, params, request)
    first, *given = request.prompt
    begun = program.begin(params, jnp.full(at_once, first, jnp.int32))
    nothing = np.zeros((len(given), at_once), np.float32)
    begun, _, _ = _decode_in_calls(add, begun, np.array(given, np.int32), nothing)
    drawn = np.full(request.words, -1, np.int32)
    for start in range(0, request.samples, at_once):
        uniforms_wn = uniforms([request.seed], request.words, at_once, first=start)
        _, ids, scores = _decode_in_calls(add, begun, drawn, uniforms_wn)
        for place in range(min(at_once, request.samples - start)):
            score = scores[:, place].sum(dtype=np.float64) if request.scored else np.nan
            yield GeneratedText(ids[:, place], float(score))


def _decode_function(
    program: CompiledFunctions, params: Params, request: GenerationRequest
) -> DecodeFunction:
    """`lm.generation.decode.decode` of this model, as it is requested."""
    max_top_k = None
    if request.top_k is not None and request.top_k < len(params["output"]["bias"]):
        max_top_k = 1 << (request.top_k - 1).bit_length()  # so that few programs are compiled
    sampling = SamplingParams(
        jnp.float32(request.temperature),
        jnp.array(request.avoid, jnp.int32),
        jnp.int32(0 if max_top_k is None else request.top_k),
    )
    return partial(
        program.write, params, sampling=sampling, max_top_k=max_top_k, scored=request.scored
    )


def _decode_in_calls(
    add: DecodeFunction,
    state: DecodeState,
    given: NDArray[np.int32],
    uniforms_wn: NDArray[np.float32],
) -> tuple[DecodeState, NDArray[np.int32], NDArray[np.float32]]:
    """Add words to all texts: the given ones, and drawn ones where there is a -1.

    Returns the texts, the words [words, N] and their log-probabilities.
    """
    words, at_once = uniforms_wn.shape
    ids, scores = np.empty((words, at_once), np.int32), np.empty((words, at_once), np.float32)
    for start in range(0, words, WORDS_PER_CALL):
        part = slice(start, start + WORDS_PER_CALL)
        count = len(ids[part])
        room = ((0, WORDS_PER_CALL - count), (0, 0))
        given_sn = np.pad(np.tile(given[part, None], at_once), room)
        uniforms_sn = np.pad(uniforms_wn[part], room)
        state, new, new_scores = add(state, given_sn, uniforms_sn, np.int32(count))
        ids[part], scores[part] = np.asarray(new)[:count], np.asarray(new_scores)[:count]
    return state, ids, scores
