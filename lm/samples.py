"""Words drawn from a language model, one after another, in one compiled loop.

A model trained with `predict=last` has only ever begun at a zero state, so it reads the last words
anew before each draw, as its evaluation does. Any other carries its state along.

N samples side by side, P words of the prompt, T words of a window, V vocabulary, D features.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lm.model import LanguageModel

Memory = Any
"""What is kept of the words so far."""


class Reader(NamedTuple):
    """How a model reads; both functions give features of the next word, f32[N, D]."""

    start: Callable[[Array], tuple[Array, Memory]]
    """Words i32[P, N]."""
    go_on: Callable[[Array, Memory], tuple[Array, Memory]]
    """The next words i32[N], and the memory of those before."""


def sample(
    model: LanguageModel,
    prompt_pn: Array,
    key: Array,
    temperature: Array,
    avoid: Array,
    *,
    words: int,
    window: int | None = None,
    top_k: int | None = None,
) -> Array:
    """Continue a prompt.

    Args:
      model: with its parameters.
      prompt_pn: i32[P, N], at least one word.
      key: of all samples; a sample's words do not depend, but for rounding, on those beside it.
      temperature: f32[]; logits are divided by it, and 0 takes the likeliest word.
      avoid: i32[A], words that are not drawn; the others share their probability.
      words: to draw.
      window: words read from a zero state before each draw; None: the state is carried along.
      top_k: draw from so many of the likeliest words; None: from all.

    Returns:
      i32[words, N].
    """
    reader = _carrying(model) if window is None else _sliding(model, window)
    weight_vd = model.output.weight[...]
    bias = model.output.bias[...].at[avoid].set(-jnp.inf)
    keys_n = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(prompt_pn.shape[1]))
    draw = jax.vmap(_draw, (0, 0, None, None))

    def body(loop: tuple[Array, Memory], place: Array) -> tuple[tuple[Array, Memory], Array]:
        features_nd, memory = loop
        logits_nv = features_nd @ weight_vd.T + bias[None, :]
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys_n, place)
        ids_n = draw(keys, logits_nv, temperature, top_k)
        return reader.go_on(ids_n, memory), ids_n

    return lax.scan(body, reader.start(prompt_pn), jnp.arange(words))[1]


def _draw(key: Array, logits: Array, temperature: Array, top_k: int | None) -> Array:
    """arg max(logits + temperature * Gumbel noise): a draw from softmax(logits / temperature) that
    needs no division (Maddison et al. 2014, section 2); i32[]."""
    words = None
    if top_k is not None and top_k < len(logits):
        logits, words = lax.top_k(logits, top_k)
    noise = jax.random.gumbel(key, logits.shape)
    best = jnp.argmax(logits + temperature * noise)
    return best if words is None else words[best]


def _carrying(model: LanguageModel) -> Reader:
    def read(ids_tn: Array, carries: Memory) -> tuple[Array, Memory]:
        features_tnd, carries = model(ids_tn, carries)
        return features_tnd[-1], carries

    return Reader(
        start=lambda prompt_pn: read(prompt_pn, model.zero_carry(prompt_pn.shape[1])),
        go_on=lambda ids_n, carries: read(ids_n[None, :], carries),
    )


def _sliding(model: LanguageModel, length: int) -> Reader:
    """The memory is a window i32[T, N] and how many words of it are in use, from its start."""

    def read(window_tn: Array, used: Array) -> tuple[Array, Memory]:
        features_tnd, _ = model(window_tn, model.zero_carry(window_tn.shape[1]))
        return features_tnd[used - 1], (window_tn, used)

    def start(prompt_pn: Array) -> tuple[Array, Memory]:
        last = prompt_pn[-length:]
        unused = jnp.zeros((length - len(last), last.shape[1]), last.dtype)
        return read(jnp.concatenate([last, unused]), jnp.int32(len(last)))

    def go_on(ids_n: Array, memory: Memory) -> tuple[Array, Memory]:
        window_tn, used = memory
        full = used == length
        window_tn = jnp.where(full, jnp.roll(window_tn, -1, axis=0), window_tn)
        used = jnp.where(full, length, used + 1)
        return read(window_tn.at[used - 1].set(ids_n), used)

    return Reader(start, go_on)
