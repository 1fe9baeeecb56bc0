"""The candidate sampler against exact probabilities and a NumPy simulation of the rejection."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.losses.candidate_sampler import (
    Candidates,
    expected_count,
    log_uniform_ids,
    log_uniform_probability,
    sample_log_uniform,
)

SHERLOCK = {"samples": 64, "vocab_size": 11_756}


def sample_many(draws, samples, vocab_size, seed=0):
    keys = jax.random.split(jax.random.key(seed), draws)
    sample = jax.jit(jax.vmap(lambda key: sample_log_uniform(key, samples, vocab_size)))
    return Candidates(*(np.asarray(leaf) for leaf in sample(keys)))


def exact_probability(vocab_size):
    k = np.arange(vocab_size, dtype=np.float64)
    return np.log((k + 2) / (k + 1)) / np.log(vocab_size + 1)


def simulate(draws, samples, vocab_size):
    """One draw after the other until `samples` different ids are found, in float64 NumPy."""
    rng = np.random.default_rng(0)
    ids, tries = [], []
    for _ in range(draws):
        sequence = rng.choice(vocab_size, size=500, p=exact_probability(vocab_size))
        first = np.sort(np.unique(sequence, return_index=True)[1])[:samples]
        ids.append(sequence[first])
        tries.append(first[-1] + 1)
    return np.array(ids), np.array(tries)


def chi_square(observed, expected):
    return np.sum((observed - expected) ** 2 / expected)


def test_probabilities_sum_to_one_and_match_the_closed_form():
    p = np.asarray(log_uniform_probability(jnp.arange(11_756), 11_756))
    np.testing.assert_allclose(p, exact_probability(11_756), rtol=1e-6)
    assert p.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert p[0] == pytest.approx(0.073958, abs=1e-6)


@pytest.mark.parametrize("vocab_size", [2, 7, 11_756, 267_735])
def test_every_id_owns_its_share_of_the_random_bits(vocab_size):
    points = 2**20
    bits = jnp.arange(points, dtype=jnp.uint32) << 12
    ids = np.asarray(log_uniform_ids(bits, vocab_size))
    shares = np.bincount(ids, minlength=vocab_size)
    assert len(shares) == vocab_size
    # Evenly spaced points fall into an interval as often as its length says, give or take one.
    np.testing.assert_allclose(shares, exact_probability(vocab_size) * points, atol=1.1)


def test_rare_ids_of_a_large_vocabulary_are_drawn_evenly():
    vocab_size = 267_735
    bits = jnp.uint32(2**32 - 2**24) + jnp.arange(2**20, dtype=jnp.uint32)
    ids = np.asarray(log_uniform_ids(bits, vocab_size))
    present, shares = np.unique(ids, return_counts=True)
    exact = exact_probability(vocab_size)[present] * 2**32
    np.testing.assert_allclose(shares[1:-1], exact[1:-1], rtol=0.05)


def test_extreme_random_bits_give_the_first_and_the_last_id():
    bits = jnp.array([0, 2**32 - 1], jnp.uint32)
    for vocab_size in (2, 3, 10, 1_000, 11_756, 50_000, 1_000_000):
        np.testing.assert_array_equal(log_uniform_ids(bits, vocab_size), [0, vocab_size - 1])


def test_candidates_are_different_ids_of_the_vocabulary():
    ids, tries = sample_many(200, **SHERLOCK)
    assert ids.dtype == tries.dtype == np.int32
    assert ids.min() >= 0
    assert ids.max() < SHERLOCK["vocab_size"]
    assert all(len(set(row)) == SHERLOCK["samples"] for row in ids)
    assert tries.min() >= SHERLOCK["samples"]


def test_ordered_candidates_follow_sequential_rejection_exactly():
    draws, p = 20_000, exact_probability(5)
    ids, tries = sample_many(draws, samples=2, vocab_size=5)
    # First i, then j among the others: P(i) P(j) / (1 - P(i)).
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (ids[:, 0], ids[:, 1]), 1)
    off = ~np.eye(5, dtype=bool)
    expected = draws * p[:, None] * p[None, :] / (1 - p[:, None])
    assert chi_square(pairs[off], expected[off]) < 43.8  # 19 degrees of freedom, p = 0.001
    # The first id repeats tries - 2 times before another one comes.
    law = np.array([np.sum(p ** (t - 1) * (1 - p)) for t in range(2, 7)])
    law = draws * np.append(law, 1 - law.sum())
    counts = np.bincount(np.minimum(tries, 7), minlength=8)[2:]
    assert chi_square(counts, law) < 20.5  # 5 degrees of freedom, p = 0.001


def test_tries_follow_the_simulated_law():
    draws = 2_000
    _, tries = sample_many(draws, **SHERLOCK)
    _, simulated = simulate(draws, **SHERLOCK)
    standard_error = np.sqrt((tries.var() + simulated.var()) / draws)
    assert abs(tries.mean() - simulated.mean()) < 3 * standard_error
    assert tries.std() == pytest.approx(simulated.std(), rel=0.07)
    assert tries.mean() == pytest.approx(79.5, abs=0.5)


def test_samples_near_the_vocabulary_size_take_several_blocks():
    draws = 4_000
    ids, tries = sample_many(draws, samples=15, vocab_size=20)
    simulated_ids, simulated_tries = simulate(draws, samples=15, vocab_size=20)
    assert tries.max() > 3 * 2 * 15
    assert all(len(set(row)) == 15 for row in ids)
    standard_error = np.sqrt((tries.var() + simulated_tries.var()) / draws)
    assert abs(tries.mean() - simulated_tries.mean()) < 3 * standard_error
    included = np.bincount(ids.ravel(), minlength=20) / draws
    simulated = np.bincount(simulated_ids.ravel(), minlength=20) / draws
    np.testing.assert_allclose(included, simulated, atol=4 * np.sqrt(0.5 / draws))


def test_expected_counts_follow_the_observed_tries():
    ids = jnp.arange(11_756)
    candidates = Candidates(jnp.arange(64), jnp.int32(79))
    p = exact_probability(11_756)
    q = expected_count(ids, candidates, 11_756)
    np.testing.assert_allclose(q, 1 - (1 - p) ** 79, rtol=2e-6)
    assert float(q[0]) == pytest.approx(0.9976, abs=2e-4)
    no_repeats = candidates._replace(tries=jnp.int32(64))
    np.testing.assert_allclose(expected_count(ids, no_repeats, 11_756), 64 * p, rtol=2e-6)


def test_expected_counts_match_how_often_ids_are_sampled():
    draws = 4_000
    ids, tries = sample_many(draws, samples=16, vocab_size=200)
    sampled = np.bincount(ids.ravel(), minlength=200) / draws
    count = jax.vmap(lambda i, t: expected_count(jnp.arange(200), Candidates(i, t), 200))
    expected = np.asarray(count(ids, tries))[tries > 16].mean(0)
    np.testing.assert_allclose(sampled, expected, atol=0.03)
    assert sampled.sum() == pytest.approx(16)


def test_more_samples_than_other_words_are_refused():
    with pytest.raises(ValueError, match="vocabulary above 20 words"):
        sample_log_uniform(jax.random.key(0), 20, 20)


def test_vmapped_keys_draw_what_each_key_draws_alone():
    together = sample_many(8, samples=15, vocab_size=20, seed=3)
    sample = jax.jit(sample_log_uniform, static_argnums=(1, 2))
    for n, key in enumerate(jax.random.split(jax.random.key(3), 8)):
        alone = sample(key, 15, 20)
        np.testing.assert_array_equal(alone.ids, together.ids[n])
        assert int(alone.tries) == together.tries[n]


def test_no_array_grows_with_the_vocabulary():
    def shapes(vocab_size):
        jaxpr = jax.make_jaxpr(lambda key: sample_log_uniform(key, 64, vocab_size))
        return re.findall(r"\w+\[[\d,]*\]", str(jaxpr(jax.random.key(0))))

    assert shapes(10_000) == shapes(1_000_000)
