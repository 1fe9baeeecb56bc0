"""Checkpoints of a trial: complete or absent, the newest readable one counts.

A checkpoint is a folder named by its update step, with one file, NumPy's npz. The file holds
`format`, and the arrays of a `Checkpoint` by their path in it, such as
`state/params/output/bias` or `hyperparams/learning_rate`. The folder appears under its name once
it is complete and on the disk.
"""

import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from lm.optim.optimizer import Hyperparameters
from lm.training.state import TrainState
from sweeps.errors import UserError, first_line
from sweeps.io.atomic import sync_folder

log = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT = 1
"""Number of the file's format; a reader takes no other."""
MAX_TO_KEEP = 2
"""Newest checkpoints that are kept: a damaged one then has another behind it."""
FILE = "state.npz"
THREADS = 4
"""Threads of a writer in the background."""


class Checkpoint(NamedTuple):
    """All that it takes to go on with a trial, or to read its model."""

    state: TrainState
    hyperparams: Hyperparameters
    """Hyperparameters of the last update, which bring rows that lag behind up to date."""


class OtherFormatError(Exception):
    """Another version of this program wrote the file."""


class CheckpointManager:
    """The checkpoints of one trial; the newest two are kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, on the device or on the host, under its step.

        Raises:
          UserError: it cannot be written, as on a full disk; earlier checkpoints are intact.
        """
        final = self.directory / str(int(checkpoint.state.step))
        half = final.with_name(f"{final.name}.tmp")
        arrays = {"format": np.int32(FORMAT), **_flatten_with_names(jax.device_get(checkpoint))}
        try:
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            with (half / FILE).open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # it may pickle
                file.flush()
                os.fsync(file.fileno())
            sync_folder(half)
            if final.exists():
                shutil.rmtree(final)
            half.rename(final)
            sync_folder(self.directory)
        except OSError as error:
            shutil.rmtree(half, ignore_errors=True)
            raise UserError(
                f"cannot write a checkpoint to {self.directory} ({first_line(error)}); free some "
                "space, then give the same command again to go on from the last one."
            ) from error
        for step in self._steps()[MAX_TO_KEEP:]:
            shutil.rmtree(self.directory / str(step), ignore_errors=True)

    def restore(self, like: TrainState) -> TrainState | None:
        """Read the newest readable state, to train on from it; None where there is none.

        Newer ones, which are damaged, are deleted.

        Args:
          like: shapes and types, as `jax.eval_shape` makes.

        Raises:
          UserError: there are checkpoints, and none can be read.
        """
        found = self._read_newest({"state": like})
        if found is None:
            return None
        for damaged in (step for step in self._steps() if step > int(found["state"].step)):
            shutil.rmtree(self.directory / str(damaged))
        # Copies, for training uses its buffers up.
        restored: TrainState = jax.device_put(found["state"], may_alias=False)
        return restored

    def read(self, like: Checkpoint) -> Checkpoint | None:
        """Read the newest readable checkpoint onto the host; None where there is none.

        Nothing in the folder is touched: another process may be training.

        Args:
          like: shapes and types, as `jax.eval_shape` makes.

        Raises:
          UserError: there are checkpoints, and none can be read.
        """
        return self._read_newest(like)

    def _read_newest(self, like: T) -> T | None:
        steps = self._steps()
        other_format: OtherFormatError | None = None
        for step in steps:
            try:
                return _read(self.directory / str(step) / FILE, like)
            except OtherFormatError as error:
                other_format = other_format or error
            except Exception as error:  # a damaged file can surface as any error of its parsers
                log.warning("checkpoint %d is damaged and left out: %s", step, first_line(error))
        if other_format is not None:
            raise UserError(
                f"the checkpoints in {self.directory} cannot be read: {other_format}; take the "
                "version that wrote them, or delete that folder to train from the start."
            )
        if steps:
            raise UserError(
                f"none of the checkpoints in {self.directory} can be read: they are damaged, or of "
                "another model; delete that folder to train from the start."
            )
        return None

    def _steps(self) -> list[int]:
        """The steps of all checkpoints, the newest first."""
        if not self.directory.is_dir():
            return []
        names = (path.name for path in self.directory.iterdir())
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


class CheckpointWriter:
    """Writes checkpoints in threads of its own, or at once.

    In the background the lanes of a pack train on while checkpoints are written. A single trial
    writes at once: in the background it would save less than a hundredth of an epoch, and a save
    that has returned is one that a killed process cannot lose.
    """

    def __init__(self, *, background: bool) -> None:
        self._threads = (
            ThreadPoolExecutor(THREADS, thread_name_prefix="checkpoint") if background else None
        )
        self._begun: list[tuple[Callable[[], None], Future[None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._threads:
            self._threads.shutdown()

    def save(
        self, manager: CheckpointManager, checkpoint: Checkpoint, on_saved: Callable[[], None]
    ) -> None:
        """Write a checkpoint, or begin to write it; its buffers must not be donated meanwhile.

        Args:
          manager: of the trial.
          checkpoint: to be written.
          on_saved: called once the checkpoint is complete; in the background, by `finish`.

        Raises:
          UserError: it cannot be written; in the background, `finish` raises it.
        """
        if self._threads is None:
            manager.save(checkpoint)
            on_saved()
            return
        self._begun.append((on_saved, self._threads.submit(manager.save, checkpoint)))

    def finish(self) -> None:
        """Wait for all that was begun, and call `on_saved` of each that is complete.

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


def _flatten_with_names(checkpoint: Checkpoint) -> dict[str, NDArray[Any]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(checkpoint)
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def _name(path: Any) -> str:
    """The name of an array in the file."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _read(file: Path, like: T) -> T:
    """Read a `Checkpoint`, or fields of one, from a file.

    Raises:
      Exception: of any kind, where the file does not have them with these shapes and types.
    """

    def leaf(path: Any, wanted: Any) -> NDArray[Any]:
        array: NDArray[Any] = arrays[_name(path)]
        if (array.shape, array.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(f"{_name(path)} is {array.dtype}{array.shape}")
        return array

    with file.open("rb") as stream, np.load(stream) as arrays:
        number = int(arrays["format"]) if "format" in arrays else 0
        if number != FORMAT:
            raise OtherFormatError(
                f"their format is {number}, and this version reads format {FORMAT}"
            )
        found: T = jax.tree_util.tree_map_with_path(leaf, like)
    return found
