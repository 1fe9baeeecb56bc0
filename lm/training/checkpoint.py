"""Checkpoints of a training state: complete or absent, the newest readable one counts.

A checkpoint is a folder named by its update step, with one file: the arrays of the state by their
place in it (NumPy's npz). It appears under its name once it is complete.
"""

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from numpy.typing import NDArray

from lm.training.state import TrainState
from sweeps.errors import UserError, first_line

log = logging.getLogger(__name__)

KEPT = 2
"""The newest ones; a damaged one then has another behind it."""
FILE = "state.npz"


class CheckpointManager:
    """The checkpoints of one run; the newest two are kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def save(self, state: TrainState) -> None:
        """Write a state, on the device or on the host, under its step.

        Raises:
          UserError: it cannot be written, as on a full disk; earlier checkpoints are intact.
        """
        final = self.directory / str(int(state.step))
        half = final.with_name(f"{final.name}.tmp")
        arrays = _flatten_with_names(jax.device_get(state))
        try:
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            with (half / FILE).open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # it may pickle
            if final.exists():
                shutil.rmtree(final)
            half.rename(final)
        except OSError as error:
            shutil.rmtree(half, ignore_errors=True)
            raise UserError(
                f"cannot write a checkpoint to {self.directory} ({first_line(error)}); free some "
                "space, then give the same command again to go on from the last one."
            ) from error
        for step in self._steps()[KEPT:]:
            shutil.rmtree(self.directory / str(step), ignore_errors=True)

    def restore(self, like: TrainState) -> TrainState | None:
        """Read the newest readable state, to go on from it; None where there is no checkpoint.

        Newer ones, which are damaged, are deleted.

        Args:
          like: a state of the same shapes and types, as `jax.eval_shape` makes.

        Raises:
          UserError: there are checkpoints, and none can be read.
        """
        state = self.read(like)
        if state is None:
            return None
        for damaged in (step for step in self._steps() if step > int(state.step)):
            shutil.rmtree(self.directory / str(damaged))
        # Copies, for training uses its buffers up.
        restored: TrainState = jax.device_put(state, may_alias=False)
        return restored

    def read(self, like: TrainState) -> TrainState | None:
        """The same on the host, touching nothing: another process may be training."""
        steps = self._steps()
        for step in steps:
            try:
                return _read(self.directory / str(step) / FILE, like)
            except Exception as error:  # a damaged file can surface as any error of its parsers
                log.warning("checkpoint %d is damaged and left out: %s", step, first_line(error))
        if steps:
            raise UserError(
                f"none of the checkpoints in {self.directory} can be read: they are damaged, or of "
                "another version of this program; delete that folder to train from the start."
            )
        return None

    def _steps(self) -> list[int]:
        """Those that there are, the newest first."""
        if not self.directory.is_dir():
            return []
        names = (path.name for path in self.directory.iterdir())
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _flatten_with_names(state: TrainState) -> dict[str, NDArray[Any]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _read(path: Path, like: TrainState) -> TrainState:
    """The state of a file; an exception of any kind where it is not one like this."""

    def leaf(place: Any, wanted: Any) -> NDArray[Any]:
        array: NDArray[Any] = arrays[jax.tree_util.keystr(place)]
        if (array.shape, array.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(f"{jax.tree_util.keystr(place)} is {array.dtype}{array.shape}")
        return array

    with path.open("rb") as file, np.load(file) as arrays:
        state: TrainState = jax.tree_util.tree_map_with_path(leaf, like)
    return state


THREADS = 4


class AsyncCheckpointWriter:
    """Writes in threads of its own; what it was given is complete once `finish` returns."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="checkpoint")
        self._begun: list[tuple[Callable[[], None], Future[None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown()

    def save(
        self, checkpoints: CheckpointManager, state: TrainState, on_saved: Callable[[], None]
    ) -> None:
        """Begin to write a state, whose buffers must not be donated.

        Args:
          checkpoints: of the trial.
          state: to be written.
          on_saved: called by `finish` once the checkpoint is complete.
        """
        self._begun.append((on_saved, self._threads.submit(checkpoints.save, state)))

    def finish(self) -> None:
        """Wait for all that was begun, and tell the trials whose checkpoint is complete.

        Raises:
          UserError: one could not be written.
        """
        begun, self._begun = self._begun, []
        errors = [(on_saved, future.exception()) for on_saved, future in begun]
        for on_saved, error in errors:
            if error is None:
                on_saved()
        for _, error in errors:
            if error is not None:
                raise error
