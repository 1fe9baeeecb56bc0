"""The losses' values and gradients in the mean over many draws of candidates."""

import os
import re
from collections import Counter
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.losses.candidate_sampler import sample_log_uniform
from lm.losses.sampled import SampledOutputLayer, sampled_loss, sampled_softmax_loss
from lm.losses.softmax import softmax_loss


def batch_means(kind, bias, target_law, batches=500, batch_size=32, samples=64):
    """Loss of a model that ignores its input, on batches of targets drawn from a law."""
    weight, features = jnp.zeros((len(bias), 1)), jnp.zeros((batch_size, 1))
    rng = np.random.default_rng(1)
    targets = rng.choice(len(bias), size=(batches, batch_size), p=target_law).astype(np.int32)

    def mean_loss(key, y):
        drawn = sample_log_uniform(key, samples, len(bias))
        words = SampledOutputLayer.gather(weight, jnp.asarray(bias), targets=y, candidates=drawn)
        return sampled_loss(kind, features, words).mean()

    keys = jax.random.split(jax.random.key(0), batches)
    means = jax.lax.map(lambda args: mean_loss(*args), (keys, jnp.asarray(targets)))
    return np.asarray(means, np.float64)


def simulated_mean(kind, bias, target_law, remove_hits, batches=300, batch_size=32, samples=64):
    """The same mean in NumPy: own candidates, own targets, own formulas."""
    rng = np.random.default_rng(2)
    k = np.arange(len(bias))
    p = np.log((k + 2) / (k + 1)) / np.log(len(bias) + 1)
    means = []
    for _ in range(batches):
        sequence = rng.choice(len(bias), size=400, p=p)
        first = np.sort(np.unique(sequence, return_index=True)[1])[:samples]
        targets = rng.choice(len(bias), size=batch_size, p=target_law)
        logits = bias - np.log(1 - (1 - p) ** (first[-1] + 1))
        noise = np.tile(logits[sequence[first]], (batch_size, 1))
        if remove_hits:
            noise[sequence[first][None, :] == targets[:, None]] = -np.inf
        true = logits[targets]
        if kind == "nce":
            loss = np.log1p(np.exp(-true)) + np.log1p(np.exp(noise)).sum(1)
        else:
            loss = np.log(np.exp(true) + np.exp(noise).sum(1)) - true
        means.append(loss.mean())
    return np.array(means)


def zipf_law(vocab_size):
    law = 1 / (np.arange(vocab_size) + 2.7)
    return law / law.sum()


@pytest.mark.parametrize("kind", ["nce", "sampled_softmax"])
def test_mean_loss_of_the_unigram_model_matches_a_simulation(kind):
    law = zipf_law(11_756)
    bias = np.log(law)
    means = batch_means(kind, bias.astype(np.float32), law)
    simulated = simulated_mean(kind, bias, law, remove_hits=kind == "sampled_softmax")
    standard_error = np.sqrt(means.var() / len(means) + simulated.var() / len(simulated))
    assert abs(means.mean() - simulated.mean()) < 3 * standard_error


def test_nce_of_a_zero_model_is_231_for_the_sherlock_vocabulary():
    means = batch_means("nce", np.zeros(11_756, np.float32), zipf_law(11_756))
    assert means.mean() == pytest.approx(231, abs=2)
    assert means.std() == pytest.approx(14, abs=1.5)


def sherlock_unigram():
    """Share of each word of the Sherlock study's corpus, most frequent first."""
    default = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("LM_SWEEPS_DATA", default)) / "sherlock"
    files = sorted(folder.glob("*.txt"))
    if not files:
        pytest.skip(f"no Sherlock texts in {folder}")
    counts = Counter()
    for file in files:
        inside = False
        for line in file.read_text("utf-8-sig").splitlines():
            if "*** START" in line:
                inside = True
            elif "*** END" in line:
                break
            elif inside and "Project Gutenberg" not in line:
                counts.update(re.findall(r"""[\w']+|[;:\-\(\)&.,!?"]""", line.lower()))
    shares = np.array([count for _, count in counts.most_common()], np.float64)
    return shares / shares.sum()


def test_sherlock_word_frequencies_cost_what_the_study_found():
    law = sherlock_unigram()
    assert len(law) == 11_756
    zero, unigram = np.zeros(len(law), np.float32), np.log(law).astype(np.float32)
    assert batch_means("nce", zero, law).mean() == pytest.approx(231, abs=2)
    assert batch_means("nce", unigram, law).mean() == pytest.approx(4.96, abs=0.03)
    assert batch_means("sampled_softmax", zero, law).mean() == pytest.approx(7.17, abs=0.03)
    assert batch_means("sampled_softmax", unigram, law).mean() == pytest.approx(3.96, abs=0.03)


@pytest.mark.slow
def test_sampled_softmax_gradient_approaches_the_full_one_with_more_samples():
    rng = np.random.default_rng(0)
    vocab_size, batch_size = 40, 8
    features = jnp.asarray(rng.normal(size=(batch_size, 3)), jnp.float32)
    weight = jnp.asarray(rng.normal(size=(vocab_size, 3)), jnp.float32)
    bias = jnp.zeros(vocab_size)
    targets = jnp.asarray(rng.integers(vocab_size, size=batch_size), jnp.int32)
    keys = jax.random.split(jax.random.key(0), 500)

    @partial(jax.jit, static_argnums=1)
    @jax.grad
    def mean_gradient(w, samples):
        def loss(key):
            candidates = sample_log_uniform(key, samples, vocab_size)
            words = SampledOutputLayer.gather(w, bias, targets=targets, candidates=candidates)
            return sampled_softmax_loss(features, words).mean()

        return jax.vmap(loss)(keys).mean()

    full = jax.grad(lambda w: softmax_loss(features, w, bias, targets).mean())(weight)

    def error(samples):
        difference = mean_gradient(weight, samples) - full
        return float(jnp.linalg.norm(difference) / jnp.linalg.norm(full))

    assert error(4) > 0.3 > 0.05 > error(vocab_size - 2)
