"""Training on a text by `lm`, without the folders, reports and checkpoints of a run."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from benchmarks.implementations.jax_memory import gpu_bytes
from lm.backend.data_parallel import first_replica, replicate
from lm.config import Config
from lm.data.batches import to_streams
from lm.model import cudnn_lstm
from lm.model.initializers import init_scales
from lm.model.types import Params
from lm.optim.optimizer import hyperparameters
from lm.training.functions import build_functions, make_static_config
from lm.training.metrics import collect_updates
from lm.training.state import TrainState
from sweeps.errors import UserError


class Training:
    """Trains one configuration on a text; its state goes on from call to call."""

    def __init__(self, config: Config, ids: NDArray[np.int32], cudnn: bool = True) -> None:
        """Prepare.

        Args:
          config: what is trained.
          ids: the text.
          cudnn: whether cuDNN's LSTM may be used, where it works.
        """
        assert config.data.vocab_size is not None
        self.config = config
        if not cudnn:
            cudnn_lstm.is_available = lambda: False  # type: ignore[assignment]
        self.functions = build_functions(make_static_config(config, config.data.vocab_size))
        self.values = hyperparameters(config, epoch=0)
        self.streams_lb = jnp.asarray(to_streams(ids, config.train.batch_size))
        self._replicated_lb = replicate(self.streams_lb, self.functions.compute.shards)
        self.state, self.key = self.start(config.seed)

    def start(self, seed: int) -> tuple[TrainState, Array]:
        """Return a state before the first step, and the random key of its training."""
        init_key, key = jax.random.split(jax.random.key(seed))
        return self.functions.initialize(init_key, init_scales(self.config.model)), key

    @property
    def params(self) -> Params:
        """The model's parameters after the last step."""
        self.flush()
        return first_replica(self.state.params)

    def flush(self) -> None:
        """Bring rows that no step has touched up to date, as at the end of an epoch."""
        self.state = self.functions.flush(self.state, self.values, jnp.bool_(True))
        jax.block_until_ready(self.state)

    def run(self, steps: int) -> float:
        """Take a number of steps; returns their mean loss, in nats per word.

        Raises:
          UserError: the training diverged, so that it took fewer steps.
        """
        chunks = []
        call = (self.values, self._replicated_lb, self.key, steps)
        for chunk in self.functions.chunks(self.state, *call):
            self.state, totals = chunk
            chunks.append(totals)
        chunks = jax.device_get(chunks)
        if not chunks[-1].finite:
            raise UserError("the training diverges; lower optimizer.learning_rate.")
        return float(collect_updates(chunks)[:, 0].mean())

    def device_bytes(self) -> int | None:
        """Most memory in use on the GPU so far; None on the CPU."""
        return gpu_bytes()
