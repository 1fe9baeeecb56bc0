"""The full softmax loss: negative log-likelihood of each target among all words, in nats.

N tokens, D features, V vocabulary.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import sequential_vmap

from lm.backend.devices import has_one_thread
from lm.backend.matmul import logits_vocab_major
from lm.config.sizes import softmax_chunk_size


def cross_entropy(logits: jax.Array, targets: jax.Array, *, vocab_axis: int = 1) -> jax.Array:
    """Return the negative log-likelihood of each target under the softmax of its logits, f32[N].

    `optax.losses.softmax_cross_entropy_with_integer_labels` subtracts the largest logit first and
    rounds differently; recorded runs would not be reproduced to the last digit.

    Args:
      logits: [N, V], or [V, N] with `vocab_axis=0`.
      targets: i32[N].
      vocab_axis: the axis of the words.
    """
    true = jnp.take_along_axis(logits, jnp.expand_dims(targets, vocab_axis), axis=vocab_axis)
    return jax.nn.logsumexp(logits, axis=vocab_axis) - jnp.squeeze(true, vocab_axis)


def softmax_loss(
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    *,
    vocab_major: bool = False,
) -> jax.Array:
    """Return the negative log-likelihood of each target under the softmax over all words, f32[N].

    Args:
      features: [N, D].
      weight: [V, D].
      bias: [V].
      targets: i32[N].
      vocab_major: compute logits [V, N] in place of [N, V], which differs by rounding and speed.
    """
    if vocab_major:
        logits_vn = logits_vocab_major(weight, features) + bias[:, None]
        return cross_entropy(logits_vn, targets, vocab_axis=0)
    return cross_entropy(features @ weight.T + bias[None, :], targets)


def chunked_softmax_loss(
    features: jax.Array, weight: jax.Array, bias: jax.Array, targets: jax.Array, chunk_size: int
) -> jax.Array:
    """Return `softmax_loss`, computed from the logits of `chunk_size` words at a time.

    They stay in the processor's cache, and those of all words are never held. It is for evaluation;
    the gradient would hold them all.
    """
    size = len(bias)
    chunk_size = min(chunk_size, size)

    def add(chunk: jax.Array, sums: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        largest, total = sums  # largest logit so far; sum of exp(logit - largest)
        first = jnp.minimum(chunk * chunk_size, size - chunk_size)
        ids = first + jnp.arange(chunk_size)  # the last chunk may overlap the one before
        offset = jnp.where(
            ids >= chunk * chunk_size, lax.dynamic_slice_in_dim(bias, first, chunk_size), -jnp.inf
        )
        rows = lax.dynamic_slice_in_dim(weight, first, chunk_size)
        logits_nc = features @ rows.T + offset[None, :]
        before, largest = largest, jnp.maximum(largest, logits_nc.max(axis=1))
        total *= jnp.exp(before - largest)
        return largest, total + jnp.exp(logits_nc - largest[:, None]).sum(axis=1)

    start = jnp.full(len(targets), -jnp.inf), jnp.zeros(len(targets))
    largest, total = lax.fori_loop(0, -(-size // chunk_size), add, start)
    true_n = jnp.sum(features * weight[targets], axis=1) + bias[targets]
    losses: jax.Array = largest + jnp.log(total) - true_n
    return losses


@sequential_vmap  # type: ignore[untyped-decorator]
def evaluation_softmax_loss(
    features: jax.Array, weight: jax.Array, bias: jax.Array, targets: jax.Array
) -> jax.Array:
    """Return `chunked_softmax_loss` with the size of chunks that suits the device.

    Under `jax.vmap` over the trials of a pack it computes one lane after the other: all at once may
    not fit into memory.
    """
    chunk_size = softmax_chunk_size(jax.default_backend(), one_thread=has_one_thread())
    return chunked_softmax_loss(features, weight, bias, targets, chunk_size)
