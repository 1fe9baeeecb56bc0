"""Training losses over the vocabulary, whole or sampled, and penalties on activations."""

from lm.losses.activation_penalties import activation, temporal_activation
from lm.losses.candidate_sampler import Candidates, expected_count, sample_log_uniform
from lm.losses.sampled import SampledOutputLayer, nce_loss, sampled_loss, sampled_softmax_loss
from lm.losses.softmax import chunked_softmax_loss, cross_entropy, softmax_loss

__all__ = [
    "Candidates",
    "SampledOutputLayer",
    "activation",
    "chunked_softmax_loss",
    "cross_entropy",
    "expected_count",
    "nce_loss",
    "sample_log_uniform",
    "sampled_loss",
    "sampled_softmax_loss",
    "softmax_loss",
    "temporal_activation",
]
