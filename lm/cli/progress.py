"""Progress on the terminal: a line for each epoch of a run."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console

from sweeps.cli.progress import bar
from sweeps.io.console import print_line

__all__ = ["RunProgress", "bar"]


class RunProgress:
    """Shows a run's reports as they come; give `reported` to the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = bar(console, "step", "{task.fields[shown]}")
        self._task = self._bar.add_task("", total=None, shown="compiling")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def reported(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Show a report."""
        shown = f"loss {metrics['train/loss']:.3f}  {metrics['time/words_per_second']:,.0f} words/s"
        self._bar.update(self._task, completed=step, total=total_steps, shown=shown)
        if "valid/perplexity" in metrics:
            line = f"epoch {metrics['time/epoch']:g}  step {step}  train {shown}"
            for split in ("valid", "test"):
                if f"{split}/perplexity" in metrics:
                    line += f"  {split} perplexity {metrics[f'{split}/perplexity']:.2f}"
            print_line(self._console, line)
