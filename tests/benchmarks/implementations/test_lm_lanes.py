import jax
import numpy as np
import pytest

from benchmarks.harness.compose import compose_values
from benchmarks.harness.synthetic_text import synthetic_text
from benchmarks.implementations import lm_lanes, lm_training
from lm.config import Config, parse_config

TOLERANCE = 1e-5


def configure(seed: int) -> Config:
    small = ["data.vocab_size=60", "model.embed_size=6", "model.rnn_size=8", "model.hidden_size=7"]
    small += ["train.batch_size=3", "train.sequence_length=5", "loss.kind=sampled_softmax"]
    return parse_config(compose_values([*small, "loss.samples=8", f"seed={seed}"]))


@pytest.mark.slow
def test_each_lane_trains_as_alone() -> None:
    ids = synthetic_text(configure(0))[: 3 * 26]
    pack = lm_lanes.Training(configure(0), ids, lanes=2)
    alone = [lm_training.Training(configure(seed), ids) for seed in (0, 1)]
    for _ in range(3):
        losses = [training.run(3) for training in alone]
        assert pack.run(3) == pytest.approx(np.mean(losses), rel=TOLERANCE)
    for lane, training in enumerate(alone):
        for together, single in zip(
            jax.tree.leaves(pack.params), jax.tree.leaves(training.params), strict=True
        ):
            np.testing.assert_allclose(together[lane], single, atol=TOLERANCE)
