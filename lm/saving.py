"""Checkpoints of a pack's lanes, written while training goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from lm.course import Course
from lm.step import TrainState

THREADS = 4


class Background:
    """Writes in threads of its own; what it was given is complete once `finish` returns."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="checkpoint")
        self._begun: list[tuple[Course, Future[None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown()

    def save(self, course: Course, state: TrainState) -> None:
        """Begin to write a state, whose buffers must not be donated."""
        self._begun.append((course, self._threads.submit(course.checkpoints.save, state)))

    def finish(self) -> None:
        """Wait for all that was begun, and tell the trials whose checkpoint is complete.

        Raises:
          UserError: one could not be written.
        """
        begun, self._begun = self._begun, []
        errors = [(course, future.exception()) for course, future in begun]
        for course, error in errors:
            if error is None:
                course.saved()
        for _, error in errors:
            if error is not None:
                raise error
