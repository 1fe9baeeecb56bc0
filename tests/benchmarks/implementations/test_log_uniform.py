import jax.numpy as jnp
import numpy as np

from benchmarks.implementations.log_uniform import LogUniform
from lm.losses.candidate_sampler import Candidates, expected_count


def test_different_candidates_are_drawn_as_often_as_expected() -> None:
    sampler, count, vocab_size = LogUniform(8, 40), np.zeros(40), 40
    tries = []
    for _ in range(4000):
        candidates = sampler.draw()
        tries.append(candidates.tries)
        assert len(set(candidates.ids.tolist())) == 8
        count[candidates.ids] += 1
    middle = Candidates(jnp.zeros(8, jnp.int32), jnp.float32(np.mean(tries)))
    expected = expected_count(jnp.arange(vocab_size), middle, vocab_size)
    np.testing.assert_allclose(count / 4000, expected, atol=0.04)
