"""Training loss of two models that know little: all logits 0, and word frequencies."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from benchmarks.harness.tables import Table
from lm.losses.candidate_sampler import sample_log_uniform
from lm.losses.sampled import SampledOutputLayer, nce_loss
from scripts.sherlock_study import published

BATCHES, BATCH_SIZE, SAMPLES = 500, 32, 64


def calibration(counts: list[int]) -> Table:
    """The losses for a vocabulary with these counts in the training text, beside the study's."""
    law = np.array(counts, np.float64) / sum(counts)
    rare = np.log(np.maximum(law, 0.1 / sum(counts)))  # <unk> may not occur
    found = [mean_loss(bias, law) for bias in (np.zeros(len(law)), rare)]
    rows = [
        ["all logits 0", f"{published.ZERO:.1f}", *found[0]],
        ["word frequencies", f"{published.UNIGRAM:.2f}", *found[1]],
    ]
    header = ["model", "study, 11,756 types", f"ours, {len(law):,}", "deviation of batches"]
    return Table("NCE of models that know little", header, rows)


def mean_loss(bias: NDArray[np.float64], law: NDArray[np.float64]) -> tuple[str, str]:
    """Mean and standard deviation over batches of words drawn from a law, for logits `bias`."""
    drawn = np.random.default_rng(0).choice(len(law), (BATCHES, BATCH_SIZE), p=law)
    keys = jax.random.split(jax.random.key(0), BATCHES)
    one = partial(_batch_loss, jnp.asarray(bias, jnp.float32))
    losses = jax.lax.map(lambda both: one(*both), (keys, jnp.asarray(drawn, jnp.int32)))
    means = np.asarray(losses, np.float64)
    return f"{means.mean():.2f}", f"{means.std():.2f}"


def _batch_loss(bias: Array, key: Array, targets: Array) -> Array:
    """Loss of a model without features, whose logits are the biases."""
    candidates = sample_log_uniform(key, SAMPLES, len(bias))
    output = SampledOutputLayer.gather(
        jnp.zeros((len(bias), 1)), bias, targets=targets, candidates=candidates
    )
    return nce_loss(jnp.zeros((len(targets), 1)), output).mean()
