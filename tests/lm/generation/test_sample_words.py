"""Sample texts of training, which NumPy computes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.generation.decode import uniforms
from lm.generation.generator import (
    GenerationRequest,
    _sample,
    compile_decoding,
    sample_words,
)
from lm.training.trainer import Trainer

Compose = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "overrides",
    [
        ("model.cell=lstm",),
        ("model.cell=gru", "model.layers=2", "train.predict=last"),
        ("model.cell=rnn", "model.tie_weights=true", "model.embed_size=6"),
    ],
)
def test_numpy_writes_the_text_that_the_compiled_program_writes(
    tiny: Compose, overrides: tuple[str, ...]
) -> None:
    config = parse_config(tiny(*overrides))
    trainer = Trainer(config, load_dataset(config.data))
    params = trainer.start().params
    prompt = np.array([5, 6, 7], np.int32)
    request = GenerationRequest(
        prompt=prompt,
        words=20,
        samples=1,
        temperature=0.8,
        top_k=None,
        seed=4,
        avoid=[0, 9],
        scored=False,
    )
    words = sample_words(trainer.functions, params, request)
    arguments = (
        params,
        prompt[:, None],
        uniforms([4], 20, samples=1),
        np.float32(0.8),
        np.array([0, 9], np.int32),
    )
    found = compile_decoding(trainer.functions).sample(*arguments)
    # It would be compiled here if it had an operation that NumPy does not know.
    assert not isinstance(found, jax.Array)
    compiled = trainer.functions.compile_beside(_sample, recurrence="scan", seldom=True)
    np.testing.assert_array_equal(words, np.asarray(compiled(*arguments))[:, 0])
    np.testing.assert_array_equal(words, found[:, 0])
    assert len(set(words)) > 1
