"""Log-probabilities of a text, with and without a cache, against NumPy word by word."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from lm.config import parse_config
from lm.data.vocabulary import Vocabulary
from lm.evaluation import scoring
from lm.evaluation.neural_cache import interpolate
from lm.evaluation.scoring import evaluation_config, score_tokens
from lm.model.initializers import init_scales
from lm.training.functions import build_functions, make_static_config
from lm.training.load import TrainedModel
from sweeps.errors import UserError
from sweeps.store.trial import Trial
from tests.lm.helpers.numpy_scoring import cached, read_words

Compose = Callable[..., dict[str, Any]]
VOCAB, TIME = 13, 5
SETTINGS = [(3, 0.7), (40, 0.0), (10**6, 2.0)]
SHARE = 0.3
TOLERANCE = 3e-6
"""Of log-probabilities that float32 gives."""


@pytest.fixture
def trained(tiny: Compose, request: pytest.FixtureRequest) -> TrainedModel:
    """A model that is as it was born, but whose words differ more from each other."""
    config = parse_config(tiny(f"train.sequence_length={TIME}", *request.param))
    program = build_functions(make_static_config(config, VOCAB))
    params = program.initialize(jax.random.key(0), init_scales(config.model)).params
    for name in params.keys() - {"layers"}:
        params[name] = jax.tree.map(lambda x: 4 * x, params[name])
    words = [str(i) for i in range(VOCAB)]
    vocabulary = Vocabulary(words, [1] * VOCAB)
    return TrainedModel(Trial(directory=Path()), config, vocabulary, program, params, 0)


def text(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, VOCAB, count).astype(np.int32)


def check(
    trained: TrainedModel, ids: np.ndarray, pieces: list[np.ndarray], streams: int | None
) -> None:
    """Check that a text is scored as if each piece were read alone, with a cache of its own."""
    found = score_tokens(trained, ids, evaluation_config(trained, streams), SETTINGS)
    alone = [read_words(trained.params, trained.config.model.cell, list(part)) for part in pieces]
    expected = np.concatenate([log_probs for log_probs, _ in alone])
    np.testing.assert_allclose(found.log_probs, expected, atol=TOLERANCE, rtol=TOLERANCE)
    for (window, theta), recalled in zip(SETTINGS, found.cache_log_probs, strict=True):
        with_cache = [
            cached(*one, list(part[1:]), window, SHARE, theta)
            for one, part in zip(alone, pieces, strict=True)
        ]
        mixed = interpolate(found.log_probs, recalled, SHARE)
        np.testing.assert_allclose(mixed, np.concatenate(with_cache), atol=3 * TOLERANCE)


def cut(ids: np.ndarray, streams: int) -> list[np.ndarray]:
    """Contiguous pieces; each overlaps the next by a word, its last target and the first input."""
    rows = -(-(len(ids) - 1) // streams)
    return [ids[first : first + rows + 1] for first in range(0, len(ids) - 1, rows)]


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize(
    "trained",
    [
        ("model.cell=rnn", "model.layers=2"),
        ("model.cell=gru", "model.hidden_size=null"),
        ("model.cell=lstm", "model.layers=2"),
    ],
    indirect=True,
    ids=lambda options: options[0],
)
def test_reading_equals_float64_numpy_word_by_word(trained: TrainedModel, streams: int) -> None:
    ids = text(600)  # more than a block of the cache
    check(trained, ids, cut(ids, streams), streams)


@pytest.fixture
def one_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MAX_FEATURES", 1)


@pytest.mark.usefixtures("one_window_at_a_time")
@pytest.mark.parametrize("trained", [()], indirect=True)
@pytest.mark.parametrize("count", [2, 22, 103])
def test_state_and_cache_go_on_from_part_to_part(trained: TrainedModel, count: int) -> None:
    ids = text(count)
    check(trained, ids, cut(ids, 4), None)  # as in training


@pytest.mark.usefixtures("one_window_at_a_time")
@pytest.mark.parametrize("trained", [("train.predict=last",)], indirect=True)
def test_predict_last_reads_each_window_and_remembers_all_of_them(trained: TrainedModel) -> None:
    ids = text(300)
    found = score_tokens(trained, ids, evaluation_config(trained, None), SETTINGS)
    windows = [ids[first : first + TIME + 1] for first in range(len(ids) - TIME)]
    alone = [read_words(trained.params, "lstm", list(window)) for window in windows]
    log_probs = np.array([one[-1] for one, _ in alone])
    seen = np.array([features[-1] for _, features in alone])
    np.testing.assert_allclose(found.log_probs, log_probs, atol=TOLERANCE, rtol=TOLERANCE)
    for (window, theta), recalled in zip(SETTINGS, found.cache_log_probs, strict=True):
        expected = cached(log_probs, seen, list(ids[TIME:]), window, SHARE, theta)
        mixed = interpolate(found.log_probs, recalled, SHARE)
        np.testing.assert_allclose(mixed, expected, atol=3 * TOLERANCE)
    with pytest.raises(UserError, match="--batch-size has no meaning"):
        evaluation_config(trained, 1)


@pytest.mark.parametrize("trained", [("train.eval_batch_size=2",)], indirect=True)
def test_streams_are_the_trials_unless_given(trained: TrainedModel) -> None:
    ids = text(60)
    own = score_tokens(trained, ids, evaluation_config(trained, None), [])
    two = score_tokens(trained, ids, evaluation_config(trained, 2), [])
    one = score_tokens(trained, ids, evaluation_config(trained, 1), [])
    np.testing.assert_array_equal(own.log_probs, two.log_probs)
    np.testing.assert_allclose(own.log_probs[:30], one.log_probs[:30], atol=TOLERANCE)
    assert np.abs(own.log_probs[30:] - one.log_probs[30:]).max() > 0.01
    assert replace(trained.config.train, eval_batch_size=1) == evaluation_config(trained, 1)
