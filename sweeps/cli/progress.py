"""A progress bar on the terminal, and that of a run."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from sweeps.io.console import format_number


def bar(console: Console, counted: str, *fields: str) -> Bar:
    """Return a progress bar that disappears when it ends; off a terminal it shows nothing.

    Args:
      console: where it is shown.
      counted: what is counted, as in "step".
      fields: further columns, in rich's format.
    """
    whole = Column(no_wrap=True)
    return Bar(
        TextColumn(counted, markup=False),
        MofNCompleteColumn(table_column=whole),
        BarColumn(bar_width=None),
        *(TextColumn(field, markup=False) for field in fields),
        _Times(table_column=whole),
        console=console,
        expand=True,
        transient=True,
        disable=not console.is_terminal,
    )


class _Times(ProgressColumn):
    """The time that has passed, and the time left once it can be known."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Show the times of a task."""
        passed = f"{_clock(task.finished_time if task.finished else task.elapsed)} passed"
        if task.finished or task.total is None or task.time_remaining is None:
            return Text(passed)
        return Text(f"{passed}, {_clock(task.time_remaining)} left")


def _clock(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class RunProgress:
    """Shows a run's reports as they come; give `reported` to the run."""

    def __init__(self, console: Console, metric: str = "") -> None:
        """Prepare the bar.

        Args:
          console: where it is shown.
          metric: tag whose latest value stands beside it.
        """
        self._console, self._metric, self._shown = console, metric, ""
        self._bar = bar(console, "step", "{task.fields[shown]}")
        self._task = self._bar.add_task("", total=None, shown="starting")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def phase(self, text: str) -> None:
        """Show what the run does before its first report; an empty text changes nothing."""
        if text:
            self._bar.update(self._task, shown=text)

    def reported(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Show a report."""
        if self._metric in metrics:
            self._shown = f"{self._metric} {format_number(metrics[self._metric])}"
        self.show(step, total_steps, self._shown)

    def show(self, step: int, total_steps: int | None, shown: str) -> None:
        """Move the bar to a step, with a text beside it."""
        self._bar.update(self._task, completed=step, total=total_steps, shown=shown)
