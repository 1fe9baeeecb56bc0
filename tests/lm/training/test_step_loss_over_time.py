"""`loss.over_time=sum`: the published scale of learning rate and clipping."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config import Config, parse_config
from lm.data.batches import to_streams
from lm.model.initializers import init_scales
from lm.optim.optimizer import hyperparameters
from lm.training.functions import build_functions, make_static_config
from lm.training.metrics import Totals, collect_updates
from lm.training.state import TrainState

Compose = Callable[..., dict[str, Any]]
VOCAB, BATCH, TIME, STEPS = 13, 3, 4, 6
STREAMS = to_streams(np.random.default_rng(0).integers(0, VOCAB, 95).astype(np.int32), BATCH)
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5")


def train(config: Config) -> tuple[TrainState, Totals]:
    program = build_functions(make_static_config(config, VOCAB))
    state = program.initialize(jax.random.key(1), init_scales(config.model))
    values = hyperparameters(config, 0)
    call = (values, jnp.asarray(STREAMS), jax.random.key(5), STEPS)
    return program.advance(state, *call)


@pytest.mark.parametrize(
    ("overrides", "factor"),
    [(("model.dropout=0.3",), TIME), (SAMPLED, TIME), (("train.predict=last",), 1)],
)
@pytest.mark.slow
def test_sum_is_the_mean_with_another_rate_and_another_clip_level(
    tiny: Compose, overrides: tuple[str, ...], factor: int
) -> None:
    """Rate 1 and clip 5 on the sum of 20 steps are rate 20 and clip 0.25 on their mean."""
    shape = (f"train.batch_size={BATCH}", f"train.sequence_length={TIME}", "optimizer=sgd")
    values = tiny(*shape, "optimizer.learning_rate=0.3", "train.clip_norm=0.3", *overrides)
    config = parse_config(values)
    summed = replace(config, loss=replace(config.loss, over_time="sum"))
    mean = replace(
        config,
        optimizer=replace(config.optimizer, learning_rate=0.3 * factor),
        train=replace(config.train, clip_norm=0.3 / factor),
    )
    (one, seen), (other, expected) = train(summed), train(mean)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    sums, means = collect_updates([seen])[:, [0, 1, 3]], collect_updates([expected])[:, [0, 1, 3]]
    np.testing.assert_allclose(sums, means * [1, factor, 1], rtol=1e-5)  # loss, norm, clipped
    assert sums[:, 2].sum() >= factor > 0
