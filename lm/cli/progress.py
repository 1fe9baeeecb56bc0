"""Progress on the terminal: a line for each epoch of a run."""

from collections.abc import Mapping

from sweeps.cli import progress
from sweeps.io.console import print_line


class RunProgress(progress.RunProgress):
    """Shows the reports of a training as they come, and prints a line for each epoch."""

    def reported(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Show a report."""
        shown = f"loss {metrics['train/loss']:.3f}  {metrics['time/words_per_second']:,.0f} words/s"
        self.show(step, total_steps, shown)
        if "valid/perplexity" in metrics:
            line = f"epoch {metrics['time/epoch']:g}  step {step}  train {shown}"
            for split in ("valid", "test"):
                if f"{split}/perplexity" in metrics:
                    line += f"  {split} perplexity {metrics[f'{split}/perplexity']:.2f}"
            best = metrics.get("test/perplexity_at_best")
            if best is not None and best != metrics["test/perplexity"]:
                line += f", {best:.2f} with the best checkpoint"
            print_line(self._console, line)
