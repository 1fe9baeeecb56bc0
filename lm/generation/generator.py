"""Generate any number of texts with a trained model, in batches of one shape.

The shape of a batch and the place of a text in it do not depend on the number of texts, their
length or their prompt. So text n is the same to the bit among 1 and among 1,000, and one compiled
program writes all of them. Memory is that of one batch: a few times N times V numbers.

P words of the prompt, N texts side by side, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.backend.execution import SeldomFunction
from lm.generation.decode import (
    DecodeState,
    SamplingParams,
    decode,
    sample,
    start_decoding,
    uniforms,
)
from lm.model.types import Params
from lm.training.functions import CompiledFunctions
from lm.training.state import StepSpec

WORDS_PER_CALL = 256
"""Most words that one call of the compiled loop adds."""


DecodeFunction = Callable[..., tuple[DecodeState, Array, Array]]
"""`lm.generation.decode.decode` of a model: (texts, words given, uniforms, steps)."""


class GenerationRequest(NamedTuple):
    """Options of a generation."""

    prompt: NDArray[np.int32]
    """[P], at least one word."""
    words: int
    """Length of each text in words, without the prompt."""
    samples: int
    temperature: float
    """0 takes the likeliest word each time."""
    top_k: int | None
    """Words are drawn from this many of the likeliest; None: from all."""
    seed: int
    avoid: Sequence[int]
    """Words that are not drawn."""
    scored: bool
    """Whether log-probabilities are computed."""


class GeneratedText(NamedTuple):
    """A generated text."""

    ids: NDArray[np.int32]
    """[words], without the prompt."""
    log_probability: float
    """Log-probability of the words after the prompt, by the model's softmax over all words, in
    nats; NaN unless `scored`."""


def batch_size() -> int:
    """Return the number of texts that are written side by side, whatever number is asked for.

    It is fixed because rounding depends on it: XLA takes another kernel for a product or a sum of
    another number of rows, and for which sizes it does so follows no rule that one could rely on.
    On a CPU a single text comes as fast as one reads, and many texts take a fifth more time than
    with the largest batch that fits. Other devices get a wider batch.
    """
    return 16 if jax.default_backend() == "cpu" else 256


class DecodingFunctions(NamedTuple):
    """Compiled functions that write texts; each takes the parameters first."""

    sample: SeldomFunction
    """(params, prompt_pn, uniforms_wn, temperature, words to avoid) -> i32[words, N]; see
    `lm.generation.decode.sample`."""
    start: Callable[[Params, Array], DecodeState]
    """(params, i32[N]) -> texts of one word each."""
    decode: DecodeFunction
    """`lm.generation.decode.decode`; compiled for each `max_top_k` and `scored`."""


@lru_cache(maxsize=8)
def compile_decoding(functions: CompiledFunctions) -> DecodingFunctions:
    """Compile the functions of generation, once for all trials that share compiled functions."""
    beside = partial(functions.compile_beside, recurrence="scan", seldom=True)
    return DecodingFunctions(
        sample=functions.seldom_beside(_sample, recurrence="scan"),
        start=beside(_start),
        decode=beside(_decode, static_argnames=("max_top_k", "scored")),
    )


def sample_words(
    functions: CompiledFunctions, params: Params, request: GenerationRequest
) -> NDArray[np.int32]:
    """Continue a prompt once, always with the same random numbers, so that only the model matters.

    Args:
      functions: of the model.
      params: of the model.
      request: for one text, drawn from all words and not scored.

    Returns:
      i32[words].
    """
    ids_wn = compile_decoding(functions).sample(params, *_sample_arguments(request))
    return np.asarray(ids_wn)[:, 0]


def prepare_sample(
    functions: CompiledFunctions, params: Params, request: GenerationRequest
) -> None:
    """Compile what `sample_words` runs with these arguments, where it is compiled."""
    compile_decoding(functions).sample.prepare(params, *_sample_arguments(request))


def _sample_arguments(request: GenerationRequest) -> tuple[NDArray[Any], ...]:
    """Prompt, uniforms, temperature and words to avoid of a text."""
    return (
        request.prompt[:, None],
        uniforms([request.seed], request.words, samples=1),
        np.asarray(request.temperature, np.float32),
        np.array(request.avoid, np.int32),
    )


def generate_texts(
    functions: CompiledFunctions, params: Params, request: GenerationRequest
) -> Iterator[GeneratedText]:
    """Generate texts; yields each as soon as its batch is done."""
    at_once = batch_size()
    decoding = compile_decoding(functions)
    add = _decode_function(decoding, params, request)
    first, *given = request.prompt
    begun = decoding.start(params, jnp.full(at_once, first, jnp.int32))
    nothing = np.zeros((len(given), at_once), np.float32)
    begun, _, _ = _decode_in_calls(add, begun, np.array(given, np.int32), nothing)
    drawn = np.full(request.words, -1, np.int32)
    for start in range(0, request.samples, at_once):
        uniforms_wn = uniforms([request.seed], request.words, at_once, first=start)
        _, ids, scores = _decode_in_calls(add, begun, drawn, uniforms_wn)
        for place in range(min(at_once, request.samples - start)):
            score = scores[:, place].sum(dtype=np.float64) if request.scored else np.nan
            yield GeneratedText(ids=ids[:, place], log_probability=float(score))


def _sample(
    spec: StepSpec,
    params: Params,
    prompt_pn: Array,
    uniforms_wn: Array,
    temperature: Array,
    avoid: Array,
) -> Array:
    """Continue a prompt, reading it as the model was trained; i32[words, N]."""
    return sample(
        spec.merge(params), prompt_pn, uniforms_wn, temperature, avoid, window=_window(spec)
    )


def _start(spec: StepSpec, params: Params, ids_n: Array) -> DecodeState:
    """Begin texts with one word each."""
    return start_decoding(spec.merge(params), ids_n, window=_window(spec))


def _decode(
    spec: StepSpec,
    params: Params,
    state: DecodeState,
    given_sn: Array,
    uniforms_sn: Array,
    steps: Array,
    sampling: SamplingParams,
    *,
    max_top_k: int | None,
    scored: bool,
) -> tuple[DecodeState, Array, Array]:
    """Add words to texts, reading them as the model was trained."""
    return decode(
        spec.merge(params),
        state,
        given_sn,
        uniforms_sn,
        steps,
        sampling,
        window=_window(spec),
        max_top_k=max_top_k,
        scored=scored,
    )


def _window(spec: StepSpec) -> int | None:
    """Length of the window that is read before each draw; None: the state is carried along."""
    return spec.train.sequence_length if spec.train.predict == "last" else None


def _decode_function(
    decoding: DecodingFunctions, params: Params, request: GenerationRequest
) -> DecodeFunction:
    """Bind `lm.generation.decode.decode` to the model and the options of a request."""
    max_top_k = None
    if request.top_k is not None and request.top_k < len(params["output"]["bias"]):
        max_top_k = 1 << (request.top_k - 1).bit_length()  # so that few programs are compiled
    sampling = SamplingParams(
        temperature=jnp.float32(request.temperature),
        avoid=jnp.array(request.avoid, jnp.int32),
        top_k=jnp.int32(0 if max_top_k is None else request.top_k),
    )
    return partial(
        decoding.decode, params, sampling=sampling, max_top_k=max_top_k, scored=request.scored
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
