"""Training of several trials by `lm`, which differ in their seeds, as the lanes of a pack."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.implementations import lm_training
from lm.config import Config
from lm.training.metrics import zero_totals
from lm.training.randomness import in_chunks
from sweeps.errors import UserError


class Training(lm_training.Training):
    """Trains lanes of one configuration on a text; a step is one update of each lane."""

    def __init__(self, config: Config, ids: NDArray[np.int32], lanes: int) -> None:
        super().__init__(config, ids)
        repeat = partial(jax.tree.map, lambda x: jnp.stack([x] * lanes))
        self.totals, self.values = repeat(zero_totals()), repeat(self.values)
        starts = [self.start(config.seed + lane) for lane in range(lanes)]
        self.state, self.key = jax.tree.map(lambda *lane: jnp.stack(lane), *starts)

    def run(self, steps: int) -> float:
        """Take a number of steps.

        Returns:
          Mean loss over all lanes and the steps of the last compiled call, in nats per word.

        Raises:
          UserError: a lane diverged.
        """
        self.state, totals = self.functions.advance_lanes(
            self.state, self.totals, self.values, self.streams_lb, self.key, steps
        )
        totals = jax.device_get(totals)
        if not totals.finite.all():
            raise UserError("the training diverges; lower optimizer.learning_rate.")
        *_, taken = in_chunks(steps)
        return float(totals.updates[:, :taken, 0].mean())

    def flush(self) -> None:
        """Bring rows that no step has touched up to date, as at the end of an epoch."""
        due = jnp.ones(len(self.key), bool)
        self.state = self.functions.flush_lanes(self.state, self.values, due)
        jax.block_until_ready(self.state)
