"""Losses that compare a target with sampled words: sampled softmax and noise-contrastive
estimation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lm.losses.candidate_sampler import Candidates, expected_count


class SampledOutputLayer(NamedTuple):
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
    ) -> "SampledOutputLayer":
        """Pick the rows out of a whole output layer."""
        words = jnp.concatenate([targets, candidates.ids])
        return cls(targets, candidates, weight[words], bias[words], len(bias))


def sampled_loss(
    kind: str, features: jax.Array, words: SampledOutputLayer, *, remove_hits: bool | None = None
) -> jax.Array:
    """The sampled loss that `loss.kind` names.

    `remove_hits=None` takes TensorFlow's default: yes for sampled_softmax, no for nce.
    """
    if remove_hits is None:
        remove_hits = kind == "sampled_softmax"
    loss = {"sampled_softmax": sampled_softmax_loss, "nce": nce_loss}[kind]
    return loss(features, words, remove_hits=remove_hits)


def sampled_softmax_loss(
    features: jax.Array, words: SampledOutputLayer, *, remove_hits: bool = True
) -> jax.Array:
    """Cross entropy of the target among itself and the candidates (Jean et al. 2015)."""
    true_n, sampled_ns = _corrected_logits(features, words, remove_hits=remove_hits)
    logits = jnp.concatenate([true_n[:, None], sampled_ns], axis=1)
    return jax.nn.logsumexp(logits, axis=1) - true_n


def nce_loss(
    features: jax.Array, words: SampledOutputLayer, *, remove_hits: bool = False
) -> jax.Array:
    """Sum of 1 + S logistic losses: the target is data, the candidates are noise.

    Noise-contrastive estimation (Gutmann and Hyvaerinen 2010; Mnih and Teh 2012).
    """
    true_n, sampled_ns = _corrected_logits(features, words, remove_hits=remove_hits)
    return jax.nn.softplus(-true_n) + jax.nn.softplus(sampled_ns).sum(axis=1)


def _corrected_logits(
    features: jax.Array, words: SampledOutputLayer, *, remove_hits: bool
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
