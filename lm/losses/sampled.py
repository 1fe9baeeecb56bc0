"""Losses that compare a target with sampled words: sampled softmax and noise-contrastive
estimation, per token in nats.

They are TensorFlow's `sampled_softmax_loss` and `nce_loss`: the words' logits less log Q, the log
of the expected counts of `lm.losses.candidate_sampler`, over the target and S candidates that all
tokens share. N tokens, D features, V vocabulary, S candidates.
"""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from lm.losses.candidate_sampler import Candidates, expected_count


class SampledOutputLayer(NamedTuple):
    """The words that a sampled loss compares, and their rows of the output layer."""

    targets: jax.Array
    """i32[N]."""
    candidates: Candidates
    weight: jax.Array
    """[N + S, D]: rows of the targets, then of the candidates."""
    bias: jax.Array
    """[N + S]."""
    vocab_size: int

    @classmethod
    def gather(
        cls,
        weight: jax.Array,
        bias: jax.Array,
        *,
        targets: jax.Array,
        candidates: Candidates,
        rows: jax.Array | None = None,
        vocab_size: int | None = None,
    ) -> Self:
        """Pick the rows of targets and candidates out of an output layer.

        Args:
          weight: [R, D], a row for each word, or only some words' rows.
          bias: [R].
          targets: i32[N], word ids.
          candidates: the sampled words.
          rows: i32[N + S], the places of targets and candidates in `weight`; None: it has the rows
            of all words, and their ids are the places.
          vocab_size: V; None: R.
        """
        if rows is None:
            rows = jnp.concatenate([targets, candidates.ids])
        return cls(
            targets=targets,
            candidates=candidates,
            weight=weight[rows],
            bias=bias[rows],
            vocab_size=len(bias) if vocab_size is None else vocab_size,
        )


def sampled_loss(
    kind: str, features: jax.Array, output: SampledOutputLayer, *, remove_hits: bool | None = None
) -> jax.Array:
    """Return the sampled loss that `loss.kind` names, f32[N].

    Args:
      kind: `sampled_softmax` or `nce`.
      features: what the output layer sees, [N, D].
      output: the words to compare, and their rows.
      remove_hits: leave out candidates that are the target itself; None takes TensorFlow's
        default: yes for sampled_softmax, no for nce.
    """
    if remove_hits is None:
        remove_hits = kind == "sampled_softmax"
    loss = {"sampled_softmax": sampled_softmax_loss, "nce": nce_loss}[kind]
    return loss(features, output, remove_hits=remove_hits)


def sampled_softmax_loss(
    features: jax.Array, output: SampledOutputLayer, *, remove_hits: bool = True
) -> jax.Array:
    """Return the cross entropy of the target among itself and the candidates, f32[N] (Jean et al.
    2015, "On Using Very Large Target Vocabulary"). Arguments as of `sampled_loss`."""
    true_n, sampled_ns = _corrected_logits(features, output, remove_hits=remove_hits)
    logits = jnp.concatenate([true_n[:, None], sampled_ns], axis=1)
    return jax.nn.logsumexp(logits, axis=1) - true_n


def nce_loss(
    features: jax.Array, output: SampledOutputLayer, *, remove_hits: bool = False
) -> jax.Array:
    """Return the noise-contrastive loss, f32[N]: the sum of 1 + S logistic losses, where the target
    is data and the candidates are noise (Gutmann and Hyvaerinen 2010; Mnih and Teh 2012). Arguments
    as of `sampled_loss`."""
    true_n, sampled_ns = _corrected_logits(features, output, remove_hits=remove_hits)
    return jax.nn.softplus(-true_n) + jax.nn.softplus(sampled_ns).sum(axis=1)


def _corrected_logits(
    features: jax.Array, output: SampledOutputLayer, *, remove_hits: bool
) -> tuple[jax.Array, jax.Array]:
    """Logits less log Q: of each token's target [N], and of the candidates [N, S]."""
    targets, candidates, weight, bias, vocab_size = output
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
