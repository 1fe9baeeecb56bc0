"""The run of the trial that this process trains, for programs that are not given one."""

from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.tracking.run import Run

_runs: list[Run] = []


@contextmanager
def activate(run: Run) -> Iterator[None]:
    """Make a run the active one while the context is entered."""
    _runs.append(run)
    try:
        yield
    finally:
        _runs.remove(run)


def active_run() -> Run | None:
    """Return the run of the trial that this process trains; None: no sweep trains one here.

    A program with `@hydra.main` asks for it, to report, to save states and to be stopped:

        if run := sweeps.active_run():
            run.report(step, {"loss": loss})
    """
    return _runs[-1] if _runs else None
