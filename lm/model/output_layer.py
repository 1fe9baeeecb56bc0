"""The output layer: from features to logits, and to the losses over all words.

N tokens, D width of the features, V vocabulary, S candidates of a sampled loss.
"""

import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.backend.devices import prefers_eigen
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import SampledOutputLayer
from lm.losses.softmax import evaluation_softmax_loss, softmax_loss
from lm.model.initializers import Initializer, zeros


class OutputLayer(nnx.Module):
    """The softmax's weights, one row of [V, D] for each word, so that losses can pick rows."""

    def __init__(
        self,
        vocab_size: int,
        inputs: int,
        initialize: Initializer,
        *,
        tied: nnx.Param[Array] | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the weights.

        Args:
          vocab_size: V.
          inputs: D.
          initialize: draws the weights.
          tied: the parameter of another module, to be used in their place; the layer then has no
            weights of its own among the parameters.
          rngs: its stream `params` gives the key.
        """
        if tied is None:
            tied = nnx.Param(initialize(rngs.params(), (vocab_size, inputs)))
        self.weight = tied
        self.bias = nnx.Param(zeros(vocab_size))

    def __call__(self, features: Array) -> Array:
        """Return the logits of all words: [..., D] -> [..., V]."""
        bias = jnp.expand_dims(self.bias[...], tuple(range(features.ndim - 1)))
        return features @ self.weight[...].T + bias

    def softmax_loss(self, features_nd: Array, targets: Array) -> Array:
        """Return the negative log-likelihood of each target, nats, f32[N]; for training."""
        return softmax_loss(
            features_nd,
            self.weight[...],
            self.bias[...],
            targets,
            vocab_major=prefers_eigen(),
        )

    def evaluation_loss(self, features_nd: Array, targets: Array) -> Array:
        """Return the negative log-likelihood of each target, nats, f32[N], without ever holding the
        logits of all words; for evaluation, where no gradient is needed."""
        losses: Array = evaluation_softmax_loss(
            features_nd, self.weight[...], self.bias[...], targets
        )
        return losses

    def sampled(
        self, *, targets: Array, candidates: Candidates, rows: Array, vocab_size: int
    ) -> SampledOutputLayer:
        """Pick the rows that a sampled loss compares.

        Args:
          targets: i32[N], word ids.
          candidates: the sampled words.
          rows: i32[N + S], where targets and candidates stand in this layer's weights.
          vocab_size: V; this layer may have only some of the words' rows.
        """
        return SampledOutputLayer.gather(
            self.weight[...],
            self.bias[...],
            targets=targets,
            candidates=candidates,
            rows=rows,
            vocab_size=vocab_size,
        )
