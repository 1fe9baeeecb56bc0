"""Training losses over a vocabulary: full softmax, sampled softmax and NCE, per token in nats.

N tokens, D features, V vocabulary, S samples. Every loss takes `features` [N, D] (what the output
layer sees) and `targets` i32[N], and returns [N]; the full softmax takes the output layer's
`weight` [V, D] and `bias` [V] besides, the sampled losses only a few rows of them. These are
TensorFlow's `sampled_softmax_loss` and `nce_loss`: the word logits less log Q, the log of the
expected counts of `lm.losses.candidate_sampler`, over the target and S shared candidates.
"""

import jax
import jax.numpy as jnp
from jax import lax

from lm.backend.matmul import logits_vocab_major


def softmax_loss(
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    *,
    by_words: bool = False,
) -> jax.Array:
    """Negative log-likelihood of the targets under the softmax over all words; `by_words`: from
    logits [V, N] instead of [N, V], which differs by rounding and in speed."""
    if by_words:
        logits, words = logits_vocab_major(weight, features) + bias[:, None], 0
    else:
        logits, words = features @ weight.T + bias[None, :], 1
    true = jnp.take_along_axis(logits, jnp.expand_dims(targets, words), axis=words)
    return jax.nn.logsumexp(logits, axis=words) - jnp.squeeze(true, words)


def chunked_softmax_loss(
    features: jax.Array, weight: jax.Array, bias: jax.Array, targets: jax.Array, words: int
) -> jax.Array:
    """The same, looking at so many words at once: their logits stay in the processor's cache, and
    those of all words are never held. For evaluation; its gradient would hold them."""
    size = len(bias)
    words = min(words, size)

    def add(part: jax.Array, sums: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        largest, total = sums  # of the logits so far, and of their exponentials over its own
        first = jnp.minimum(part * words, size - words)
        ids = first + jnp.arange(words)  # of the last part some may have been in the one before
        offset = jnp.where(
            ids >= part * words, lax.dynamic_slice_in_dim(bias, first, words), -jnp.inf
        )
        rows = lax.dynamic_slice_in_dim(weight, first, words)
        logits_nw = features @ rows.T + offset[None, :]
        before, largest = largest, jnp.maximum(largest, logits_nw.max(axis=1))
        total *= jnp.exp(before - largest)
        return largest, total + jnp.exp(logits_nw - largest[:, None]).sum(axis=1)

    nothing = jnp.full(len(targets), -jnp.inf), jnp.zeros(len(targets))
    largest, total = lax.fori_loop(0, -(-size // words), add, nothing)
    true_n = jnp.sum(features * weight[targets], axis=1) + bias[targets]
    losses: jax.Array = largest + jnp.log(total) - true_n
    return losses
