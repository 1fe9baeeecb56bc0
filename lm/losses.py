"""Training losses over a vocabulary: full softmax, sampled softmax and NCE, per token in nats.

N tokens, D features, V vocabulary, S samples. Every loss takes `features` [N, D] (what the output
layer sees) and `targets` i32[N], and returns [N]; the full softmax takes the output layer's
`weight` [V, D] and `bias` [V] besides, the sampled losses only a few rows of them. These are
TensorFlow's `sampled_softmax_loss` and `nce_loss`: the word logits less log Q, the log of the
expected counts of `lm.sampler`, over the target and S shared candidates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lm.products import words_first
from lm.sampler import Candidates, expected_count


class Shortlist(NamedTuple):
    """The words that a sampled loss looks at, and their rows of the output layer."""

    targets: jax.Array
    """i32[N]."""
    candidates: Candidates
    weight: jax.Array
    """[N + S, D]: rows of the targets, then of the candidates."""
    bias: jax.Array
    """[N + S]."""
    vocab_size: int

    @classmethod
    def of(
        cls, weight: jax.Array, bias: jax.Array, targets: jax.Array, candidates: Candidates
    ) -> "Shortlist":
        """Pick the rows out of a whole output layer."""
        words = jnp.concatenate([targets, candidates.ids])
        return cls(targets, candidates, weight[words], bias[words], len(bias))


def sampled_loss(
    kind: str, features: jax.Array, words: Shortlist, *, remove_hits: bool | None = None
) -> jax.Array:
    """The sampled loss that `loss.kind` names.

    `remove_hits=None` takes TensorFlow's default: yes for sampled_softmax, no for nce.
    """
    if remove_hits is None:
        remove_hits = kind == "sampled_softmax"
    loss = {"sampled_softmax": sampled_softmax_loss, "nce": nce_loss}[kind]
    return loss(features, words, remove_hits=remove_hits)


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
        logits, words = words_first(weight, features) + bias[:, None], 0
    else:
        logits, words = features @ weight.T + bias[None, :], 1
    true = jnp.take_along_axis(logits, jnp.expand_dims(targets, words), axis=words)
    return jax.nn.logsumexp(logits, axis=words) - jnp.squeeze(true, words)


def softmax_loss_in_parts(
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


def sampled_softmax_loss(
    features: jax.Array, words: Shortlist, *, remove_hits: bool = True
) -> jax.Array:
    """Cross entropy of the target among itself and the candidates (Jean et al. 2015)."""
    true_n, sampled_ns = _corrected_logits(features, words, remove_hits=remove_hits)
    logits = jnp.concatenate([true_n[:, None], sampled_ns], axis=1)
    return jax.nn.logsumexp(logits, axis=1) - true_n


def nce_loss(features: jax.Array, words: Shortlist, *, remove_hits: bool = False) -> jax.Array:
    """Sum of 1 + S logistic losses: the target is data, the candidates are noise.

    Noise-contrastive estimation (Gutmann and Hyvaerinen 2010; Mnih and Teh 2012).
    """
    true_n, sampled_ns = _corrected_logits(features, words, remove_hits=remove_hits)
    return jax.nn.softplus(-true_n) + jax.nn.softplus(sampled_ns).sum(axis=1)


def _corrected_logits(
    features: jax.Array, words: Shortlist, *, remove_hits: bool
) -> tuple[jax.Array, jax.Array]:
    """Logits less log Q, of each token's target [N] and of the candidates [N, S]."""
    targets, candidates, weight, bias, vocab_size = words
    count = len(targets)
    ids = jnp.concatenate([targets, candidates.ids])
    offset = bias - jnp.log(expected_count(ids, candidates, vocab_size))
    true_n = jnp.sum(features * weight[:count], axis=1) + offset[:count]
    sampled_ns = features @ weight[count:].T + offset[None, count:]
    if remove_hits:
        hits_ns = targets[:, None] == candidates.ids[None, :]
        # Finite, as TensorFlow's: neither loss nor gradient is left, and no inf - inf can arise.
        sampled_ns = jnp.where(hits_ns, float(np.finfo(np.float32).min), sampled_ns)
    return true_n, sampled_ns
