"""Checkpoints of a trial: complete or absent; the newest readable one is trained on from.

A checkpoint is a folder named by its update step, with one file, NumPy's npz. The file holds
`format`, and the arrays of a `Checkpoint` by their path in it, such as
`state/params/output/bias` or `hyperparams/learning_rate`. The folder appears under its name once
it is complete and on the disk. `best/` has the file of the step whose ranking metric was best; it
is the same file on the disk as that of the step, as long as both are there.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from lm.optim.optimizer import Hyperparameters
from lm.training.state import TrainState
from sweeps.errors import UserError, first_line
from sweeps.io.atomic import link_file, make_directory, sync_folder

log = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT = 1
"""Number of the file's format; a reader takes no other."""
MAX_TO_KEEP = 2
"""Newest checkpoints that are kept in training: a damaged one then has another behind it."""
BEST, LAST = "best", "last"
"""Names of the checkpoint with the best value of the ranking metric, and of the newest one."""
ALL, NONE = "all", "none"
"""Further values of `sweep.keep_checkpoints`."""
FILE = "state.npz"
THREADS = 4
"""Threads of a writer in the background."""


class Checkpoint(NamedTuple):
    """All that it takes to go on with a trial, or to read its model."""

    state: TrainState
    hyperparams: Hyperparameters
    """Hyperparameters of the last update, which bring rows that lag behind up to date."""


class FoundCheckpoint(NamedTuple):
    """A checkpoint, and which one it is."""

    name: str
    """`best`, `last`, or its step."""
    checkpoint: Checkpoint


class OtherFormatError(Exception):
    """Another version of this program wrote the file."""


class CheckpointManager:
    """The checkpoints of one trial; in training the newest two and the best are kept."""

    def __init__(self, directory: Path, keep: str = BEST) -> None:
        """Describe a trial's checkpoints; nothing is read or written yet.

        Args:
          directory: holds them; it may not exist yet.
          keep: `sweep.keep_checkpoints`.
        """
        self.directory = directory.absolute()
        self._keep = keep

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
        if self._keep != ALL:
            self._remove(self.steps()[MAX_TO_KEEP:])

    def keep_best(self, step: int) -> None:
        """Make the checkpoint of this step the best one; without it there is no best one any more.

        Raises:
          UserError: it cannot be written.
        """
        source, best = self.directory / str(step) / FILE, self.directory / BEST
        if self.best_step() == step:
            return
        if not source.exists():
            self.forget_best()
            return
        make_directory(best)
        link_file(source, best / FILE)

    def forget_best(self) -> None:
        """Delete the best checkpoint."""
        shutil.rmtree(self.directory / BEST, ignore_errors=True)

    def best_step(self) -> int | None:
        """The step of the best checkpoint; None where there is none that can be read."""
        return _step_of(self.directory / BEST / FILE)

    def finish(self) -> None:
        """Delete all but the newest, and the best, once nothing is left to train.

        `Run` deletes those too where the option wants it.
        """
        if self._keep != ALL:
            self._remove(self.steps()[1:])

    def restore_best(self, like: Checkpoint) -> Checkpoint:
        """Read the best checkpoint onto the host.

        Raises:
          UserError: there is none that can be read.
        """
        try:
            return _read(self.directory / BEST / FILE, like)
        except FileNotFoundError as error:
            raise UserError(
                f"{self.directory} has no best checkpoint; take the newest one, {LAST}."
            ) from error
        except Exception as error:  # as for the newest one
            raise UserError(
                f"the best checkpoint in {self.directory} cannot be read "
                f"({first_line(error)}); take the newest one, {LAST}."
            ) from error

    def _remove(self, steps: Iterable[int]) -> None:
        for step in steps:
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
        for damaged in (step for step in self.steps() if step > int(found["state"].step)):
            shutil.rmtree(self.directory / str(damaged))
        # Copies, for training uses its buffers up.
        restored: TrainState = jax.device_put(found["state"], may_alias=False)
        return restored

    def read(self, like: Checkpoint, choice: str | int | None = None) -> FoundCheckpoint | None:
        """Read a checkpoint onto the host; None where the folder has none.

        Nothing in the folder is touched: another process may be training.

        Args:
          like: shapes and types, as `jax.eval_shape` makes.
          choice: `best`, `last` or a step; None: the best where there is one, else the last.

        Raises:
          UserError: the one that is asked for is not there, or cannot be read.
        """
        if choice is None:
            choice = BEST if self.best_step() is not None else LAST
        if choice == BEST and (self.steps() or self.best_step() is not None):
            return FoundCheckpoint(BEST, self.restore_best(like))
        if choice == LAST:
            newest = self._read_newest(like)
            return newest and FoundCheckpoint(LAST, newest)
        steps = {*self.steps(), self.best_step()} - {None}
        if not steps:
            return None
        if choice not in steps:
            there = ", ".join(map(str, sorted(step for step in steps if step is not None)))
            raise UserError(
                f"{self.directory} has no checkpoint of step {choice}; there are those of steps "
                f"{there} ({ALL} are kept with sweep.keep_checkpoints={ALL})."
            )
        folder = BEST if choice == self.best_step() else str(choice)
        try:
            return FoundCheckpoint(f"{choice}", _read(self.directory / folder / FILE, like))
        except Exception as error:  # as for the newest one
            raise UserError(
                f"the checkpoint of step {choice} in {self.directory} cannot be read "
                f"({first_line(error)}); take another one."
            ) from error

    def _read_newest(self, like: T) -> T | None:
        steps = self.steps()
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

    def steps(self) -> list[int]:
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


def _step_of(file: Path) -> int | None:
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            return int(arrays["state/step"])
    except Exception:  # as for `_read`; who reads it whole is told
        return None


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
