"""The losses against float64 NumPy written from the formulas."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.losses.candidate_sampler import Candidates, sample_log_uniform
from lm.losses.sampled import SampledOutputLayer, nce_loss, sampled_loss, sampled_softmax_loss
from lm.losses.softmax import chunked_softmax_loss, softmax_loss

V, D, N = 12, 3, 5
TRIES = 9


def example(dtype=np.float64):
    """Inputs of a loss: two targets are among the candidates, one word is a target twice."""
    rng = np.random.default_rng(0)
    parameters = (rng.normal(size=(N, D)), rng.normal(size=(V, D)), rng.normal(size=V))
    targets = np.array([4, 0, 11, 7, 4], np.int32)
    ids = np.array([0, 3, 1, 7, 5, 2], np.int32)
    return tuple(p.astype(dtype) for p in parameters), targets, ids


def gather(weight, bias, targets, candidates):
    return SampledOutputLayer.gather(weight, bias, targets=targets, candidates=candidates)


def log_expected_count(k, tries, samples, vocab_size):
    p = np.log((k + 2) / (k + 1)) / np.log(vocab_size + 1)
    return np.log(samples * p if tries == samples else 1 - (1 - p) ** tries)


def reference(kind, features, weight, bias, targets, ids, tries, remove_hits):
    """Each token's loss, one logit after the other, in float64."""
    vocab_size, losses = len(bias), []

    def corrected(h, k):
        return h @ weight[k] + bias[k] - log_expected_count(k, tries, len(ids), vocab_size)

    for h, y in zip(features, targets, strict=True):
        if kind == "softmax":
            logits = np.array([h @ weight[k] + bias[k] for k in range(vocab_size)])
            losses.append(np.log(np.sum(np.exp(logits))) - logits[y])
            continue
        true = corrected(h, y)
        noise = np.array([corrected(h, k) for k in ids if not (remove_hits and k == y)])
        if kind == "sampled_softmax":
            losses.append(-np.log(np.exp(true) / (np.exp(true) + np.sum(np.exp(noise)))))
        else:
            sigmoid = 1 / (1 + np.exp(-np.append(true, -noise)))
            losses.append(-np.sum(np.log(sigmoid)))
    return np.array(losses)


@partial(jax.jit, static_argnums=(0, 5))
def evaluate(kind, parameters, targets, ids, tries, remove_hits):
    if kind == "softmax":
        return softmax_loss(*parameters, targets)
    loss = {"sampled_softmax": sampled_softmax_loss, "nce": nce_loss}[kind]
    candidates = Candidates(ids, jnp.asarray(tries, jnp.int32))
    features, *output = parameters
    return loss(features, gather(*output, targets, candidates), remove_hits=remove_hits)


@pytest.mark.parametrize("words", [1, 5, 6, 12, 100])
@pytest.mark.parametrize("scale", [1, 300])
def test_softmax_is_the_same_a_few_words_at_a_time(words: int, scale: float) -> None:
    (features, weight, bias), targets, _ = example(np.float32)
    call = (scale * features, weight, scale * bias, targets)
    found = jax.jit(chunked_softmax_loss, static_argnums=4)(*call, words)
    np.testing.assert_allclose(found, softmax_loss(*call), rtol=1e-5, atol=1e-6)


def numeric_gradient(function, values, step=1e-5):
    gradient = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        above, below = values.copy(), values.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (function(above) - function(below)) / (2 * step)
    return gradient


CASES = [
    ("softmax", TRIES, False),
    ("sampled_softmax", TRIES, True),
    ("sampled_softmax", TRIES, False),
    ("nce", TRIES, True),
    ("nce", TRIES, False),
    ("nce", 6, False),  # no draw was a repeat
]


@pytest.mark.parametrize(("kind", "tries", "remove_hits"), CASES)
def test_values_match_the_formulas(kind, tries, remove_hits):
    parameters, targets, ids = example(np.float32)
    exact = reference(
        kind, *(p.astype(np.float64) for p in parameters), targets, ids, tries, remove_hits
    )
    nll = evaluate(kind, parameters, targets, ids, tries, remove_hits)
    assert nll.dtype == jnp.float32
    np.testing.assert_allclose(nll, exact, rtol=1e-5)


@pytest.mark.parametrize(("kind", "tries", "remove_hits"), CASES)
def test_gradients_match_finite_differences_of_the_formulas(kind, tries, remove_hits):
    parameters, targets, ids = example()
    row_weights = np.arange(1, N + 1)  # tells one token's gradient from another's
    with jax.enable_x64(True):
        gradients = jax.grad(
            lambda p: (
                evaluate(kind, p, targets, ids, tries, remove_hits)
                @ jnp.asarray(row_weights, float)
            )
        )(tuple(jnp.asarray(p) for p in parameters))
    for n, gradient in enumerate(gradients):

        def loss(values, n=n):
            changed = (*parameters[:n], values, *parameters[n + 1 :])
            return row_weights @ reference(kind, *changed, targets, ids, tries, remove_hits)

        np.testing.assert_allclose(gradient, numeric_gradient(loss, parameters[n]), atol=1e-7)


@partial(jax.jit, static_argnums=(0, 5))
def total_and_gradient(kind, parameters, targets, ids, tries, remove_hits):
    def total(parameters):
        return evaluate(kind, parameters, targets, ids, tries, remove_hits).sum()

    return jax.value_and_grad(total)(parameters)


@pytest.mark.parametrize("kind", ["sampled_softmax", "nce"])
def test_removed_hit_counts_as_if_it_had_not_been_drawn(kind):
    parameters, _, _ = example(np.float32)
    targets, with_hit, without = (np.array(ids, np.int32) for ids in ([4] * N, [4, 9], [9]))
    removed, gradients = total_and_gradient(kind, parameters, targets, with_hit, 3, True)
    kept, _ = total_and_gradient(kind, parameters, targets, with_hit, 3, False)
    expected, expected_gradients = total_and_gradient(kind, parameters, targets, without, 3, True)
    assert float(removed) < float(kept)
    np.testing.assert_allclose(removed, expected, rtol=1e-6)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sampled_softmax", "nce"])
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_huge_logits_and_nothing_but_hits_stay_finite(kind, size):
    (features, weight, bias), _, _ = example(np.float32)
    parameters = (features * np.float32(size), weight, bias)
    targets, ids = np.array([4] * N, np.int32), np.array([4], np.int32)
    total, gradients = total_and_gradient(kind, parameters, targets, ids, 1, True)
    assert np.isfinite(total)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_zero_model_costs_the_log_of_the_vocabulary_size():
    nll = softmax_loss(jnp.zeros((4, 8)), jnp.zeros((10_000, 8)), jnp.zeros(10_000), jnp.arange(4))
    np.testing.assert_allclose(nll, np.log(10_000), rtol=1e-6)


@pytest.mark.parametrize(("kind", "removes"), [("sampled_softmax", True), ("nce", False)])
def test_hits_are_removed_where_tensorflow_does(kind, removes):
    parameters, targets, _ = example(np.float32)

    @jax.jit
    def losses(parameters, targets):
        features, *output = parameters
        drawn = sample_log_uniform(jax.random.key(5), 8, V)
        words = gather(*output, targets, drawn)
        *explicit, default = [
            sampled_loss(kind, features, words, remove_hits=remove)
            for remove in (False, True, None)
        ]
        return default, explicit

    default, explicit = losses(parameters, targets)
    np.testing.assert_allclose(default, explicit[removes], rtol=1e-6)
    assert not np.allclose(default, explicit[not removes])


@pytest.mark.parametrize("kind", ["softmax", "sampled_softmax", "nce"])
def test_stacked_trials_equal_one_by_one_and_compile_once(kind):
    (features, weight, bias), targets, _ = example(np.float32)
    keys = jax.random.split(jax.random.key(0), 3)
    weights = np.stack([weight * np.float32(scale) for scale in (0.5, 1, 2)])
    traces = []

    @jax.jit
    def loss(key, weight):
        traces.append(1)
        inputs, *output = (jnp.asarray(array) for array in (features, weight, bias, targets))
        if kind == "softmax":
            return softmax_loss(inputs, *output)
        drawn = sample_log_uniform(key, 6, V)
        return sampled_loss(kind, inputs, gather(*output, drawn))

    alone = [loss(key, weight) for key, weight in zip(keys, weights, strict=True)]
    assert len(traces) == 1
    np.testing.assert_allclose(jax.vmap(loss)(keys, weights), jnp.stack(alone), rtol=1e-5)
