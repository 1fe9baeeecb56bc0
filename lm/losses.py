"""Training losses over a vocabulary: full softmax, sampled softmax and NCE, per token in nats.

N tokens, D features, V vocabulary, S samples. Every loss takes `features` [N, D] (what the output
layer sees), the output layer's `weight` [V, D] and `bias` [V], and `targets` i32[N], and returns
[N]. The sampled losses are TensorFlow's `sampled_softmax_loss` and `nce_loss`: the word logits less
log Q, the log of the expected counts of `lm.sampler`, over the target and S shared candidates.
"""

import jax
import jax.numpy as jnp
import numpy as np

from lm.sampler import Candidates, expected_count, sample_log_uniform


def token_losses(
    kind: str,
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    *,
    key: jax.Array,
    samples: int,
    remove_hits: bool | None = None,
) -> jax.Array:
    """The training loss that `loss.kind` names; `key` draws the candidates of a sampled one.

    `remove_hits=None` takes TensorFlow's default: yes for sampled_softmax, no for nce.
    """
    if kind == "softmax":
        return softmax_loss(features, weight, bias, targets)
    candidates = sample_log_uniform(key, samples, weight.shape[0])
    if remove_hits is None:
        remove_hits = kind == "sampled_softmax"
    loss = {"sampled_softmax": sampled_softmax_loss, "nce": nce_loss}[kind]
    return loss(features, weight, bias, targets, candidates, remove_hits=remove_hits)


def softmax_loss(
    features: jax.Array, weight: jax.Array, bias: jax.Array, targets: jax.Array
) -> jax.Array:
    """Negative log-likelihood of the targets under the softmax over all words."""
    logits_nv = features @ weight.T + bias[None, :]
    true_n = jnp.take_along_axis(logits_nv, targets[:, None], axis=1)[:, 0]
    return jax.nn.logsumexp(logits_nv, axis=1) - true_n


def sampled_softmax_loss(
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    candidates: Candidates,
    *,
    remove_hits: bool = True,
) -> jax.Array:
    """Cross entropy of the target among itself and the candidates (Jean et al. 2015)."""
    true_n, sampled_ns = _corrected_logits(
        features, weight, bias, targets, candidates, remove_hits=remove_hits
    )
    logits = jnp.concatenate([true_n[:, None], sampled_ns], axis=1)
    return jax.nn.logsumexp(logits, axis=1) - true_n


def nce_loss(
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    candidates: Candidates,
    *,
    remove_hits: bool = False,
) -> jax.Array:
    """Sum of 1 + S logistic losses: the target is data, the candidates are noise.

    Noise-contrastive estimation (Gutmann and Hyvaerinen 2010; Mnih and Teh 2012).
    """
    true_n, sampled_ns = _corrected_logits(
        features, weight, bias, targets, candidates, remove_hits=remove_hits
    )
    return jax.nn.softplus(-true_n) + jax.nn.softplus(sampled_ns).sum(axis=1)


def _corrected_logits(
    features: jax.Array,
    weight: jax.Array,
    bias: jax.Array,
    targets: jax.Array,
    candidates: Candidates,
    *,
    remove_hits: bool,
) -> tuple[jax.Array, jax.Array]:
    """Logits less log Q, of each token's target [N] and of the candidates [N, S]."""
    ids = candidates.ids
    vocab_size = weight.shape[0]
    offset_n = bias[targets] - jnp.log(expected_count(targets, candidates, vocab_size))
    offset_s = bias[ids] - jnp.log(expected_count(ids, candidates, vocab_size))
    true_n = jnp.sum(features * weight[targets], axis=1) + offset_n
    sampled_ns = features @ weight[ids].T + offset_s[None, :]
    if remove_hits:
        hits_ns = targets[:, None] == ids[None, :]
        # Finite, as TensorFlow's: neither loss nor gradient is left, and no inf - inf can arise.
        sampled_ns = jnp.where(hits_ns, float(np.finfo(np.float32).min), sampled_ns)
    return true_n, sampled_ns
