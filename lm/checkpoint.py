"""Checkpoints of a training state (Orbax): complete or absent, the newest readable one counts."""

import logging
from pathlib import Path
from types import TracebackType
from typing import Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from lm.step import TrainState
from sweeps.errors import UserError

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run, in folders named by update step; the newest two are kept."""

    def __init__(self, directory: Path) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax reports each save at INFO
        self.directory = directory.absolute()
        # Saving in the background gains nothing at 20 ms a save, and a save that has returned
        # is one that a killed process cannot lose.
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.close()

    def save(self, state: TrainState) -> None:
        """Write a state under its step.

        Raises:
          UserError: it cannot be written, as on a full disk; earlier checkpoints are intact.
        """
        try:
            self._manager.save(int(state.step), args=ocp.args.StandardSave(state), force=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"cannot write a checkpoint to {self.directory} ({_first_line(error)}); free some "
                "space, then give the same command again to go on from the last one."
            ) from error

    def restore(self, like: TrainState) -> TrainState | None:
        """Read the newest readable state; None where there is no checkpoint at all.

        Args:
          like: a state of the same shapes and types, as `jax.eval_shape` makes.

        Raises:
          UserError: there are checkpoints, and none can be read.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        # Orbax would tie the arrays to a device, for which JAX compiles every function once more.
        target = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), like)
        for step in steps:
            try:
                state = self._manager.restore(step, args=ocp.args.StandardRestore(target))
            except Exception as error:  # a damaged file can surface as any error of its parsers
                log.warning("checkpoint %d is damaged and left out: %s", step, _first_line(error))
                continue
            assert isinstance(state, TrainState)
            self._forget_after(step, steps)
            # Copies, for training uses its buffers up.
            restored: TrainState = jax.device_put(state, may_alias=False)
            return restored
        if steps:
            raise UserError(
                f"none of the checkpoints in {self.directory} can be read; delete that folder to "
                "train from the start."
            )
        return None

    def _forget_after(self, step: int, steps: list[int]) -> None:
        for damaged in steps:
            if damaged > step:
                self._manager.delete(damaged)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
