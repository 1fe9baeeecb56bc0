"""Shows how far a sweep has come: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table

from sweeps.io.console import count_text, fold_heads, print_line
from sweeps.labels import shorten
from sweeps.naming import short_keys

LIVE_SECONDS = 0.5
"""Time between two updates of the live table."""
LINE_SECONDS = 10.0
"""Time between two rounds of plain lines."""
SUMMARY_LINES = 6
"""Lines of the terminal that are kept free for the counts and for headings."""
UNKNOWN = "-"
"""Cell of a value that is not known yet."""
VALUE_WIDTH = 24
"""Most characters of a value in a trial's name."""


@dataclass
class _Running:
    """A trial in progress."""

    began: float
    shown: str
    """What the table calls it."""
    phase: Callable[[], str]
    """Says what it does before its first report; empty: it is not known."""
    step: int = 0
    total: int | None = None
    first: tuple[float, int] | None = None
    """Time and step of the first report, which comes after compilation and resumed steps."""
    latest: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Share of the trial's steps that are done, 0 to 1."""
        return min(1.0, self.step / self.total) if self.total else None

    def left(self, now: float) -> float | None:
        """Seconds until the trial's end at its rate since the first report; None: not known."""
        if not self.total or self.first is None or self.step <= self.first[1]:
            return None
        rate = (self.step - self.first[1]) / (self.latest - self.first[0])
        return max(0.0, (self.total - self.step) / rate - (now - self.latest))


class Progress:
    """Counts a sweep's trials and estimates its end. It is a context around the sweep."""

    def __init__(
        self,
        total: int,
        *,
        num_done: int,
        tags: Sequence[str],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the sweep.

        Args:
          total: trials in the end.
          num_done: those of them that an earlier run has done.
          tags: metrics shown for each running trial.
          console: where to print.
          clock: seconds; for tests.
        """
        self._running: dict[str, _Running] = {}
        self._durations: list[float] = []
        self._total = total
        self._done = num_done
        self._num_interrupted = 0
        self._ending = False
        self._phase = "starting"
        """What the sweep does before its first trial starts."""
        self._tags = tags
        self._heads = [head.replace("_", " ") for head in short_keys(tags)]
        self._console, self._clock = console, clock
        self._live: Live | None = None
        self._began = self._shown = clock()
        self._slots = 1

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            self._redraw()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def _waiting(self) -> int:
        over = self._done + self._num_interrupted
        return max(0, self._total - over - len(self._running))

    def phase(self, text: str, *, is_line: bool = False) -> None:
        """Note what the sweep does before its first trial starts.

        Args:
          text: such as `starting Ray`.
          is_line: whether it is printed where there is no live table.
        """
        self._phase = text
        if self._live:
            self._redraw()
        elif is_line:
            self.print_line(f"{text[0].upper()}{text[1:]}")

    def started(self, name: str, shown: str = "", phase: Callable[[], str] = lambda: "") -> None:
        """Note that a trial's worker has started.

        Args:
          name: of the trial's folder.
          shown: what the table calls it; empty: its name without the id.
          phase: says what it does before its first report, in a word; empty: it is not known.
        """
        self._phase = ""
        shown = shown or _short_name(name)
        self._running[name] = _Running(began=self._clock(), shown=shown, phase=phase)
        self._slots = max(self._slots, len(self._running))

    def reported(
        self, name: str, step: int, total: int | None, metrics: Mapping[str, float]
    ) -> None:
        """Note a trial's report."""
        if trial := self._running.get(name):
            trial.step, trial.total, trial.latest = step, total, self._clock()
            trial.first = trial.first or (trial.latest, step)
            trial.metrics.update(metrics)

    def print_line(self, text: str) -> None:
        """Print a line that stays."""
        print_line(self._console, text)

    def retried(self, *names: str) -> None:
        """Note that the worker of these trials died; they wait for another one."""
        ended = [self._running.pop(name, None) for name in names]
        first = ended[0].shown if ended[0] else _short_name(names[0])
        rest = len(names) - 1
        if rest:
            line = f"{first} and {rest} more: their worker died; they are started again"
        else:
            line = f"{first}: its worker died; it is started again"
        print_line(self._console, line, style="yellow")

    def ended(self, name: str, summary: str, *, interrupted: bool = False) -> None:
        """Note a trial's end, and print the summary of it, one line.

        Args:
          name: the trial's.
          summary: how it ended.
          interrupted: whether it is to go on another time; it does not count as done then.
        """
        trial = self._running.pop(name, None)
        place = ""
        if interrupted:
            self._num_interrupted += 1
        else:
            self._done += 1
            place = f"[{self._done}/{self._total}] "
            if trial:
                self._durations.append(self._clock() - trial.began)
        self._redraw()
        self.print_line(f"{place}{trial.shown if trial else _short_name(name)}: {summary}")

    def interrupted(self, reason: str = "") -> None:
        """Note that the sweep ends before its trials, and say what happens now.

        Args:
          reason: a sentence; empty: a signal came.
        """
        if self._ending:
            return
        self._ending = True
        count = len(self._running)
        saving = f"{count_text(count, 'trial')} {'saves' if count == 1 else 'save'}"
        self._redraw()
        if reason:
            first = f"{saving}, then the" if count else "The"
            self.print_line(f"{first} sweep ends: {reason}")
            return
        self.print_line(
            f"Interrupted: {saving}, then the sweep ends; Ctrl-C again ends it without saving."
        )

    def refresh(self) -> None:
        """Show the present state, if the last time is long enough ago."""
        now = self._clock()
        if now - self._shown < (LIVE_SECONDS if self._live else LINE_SECONDS):
            return
        self._shown = now
        if self._live:
            self._redraw()
        else:
            self.print_line("\n  ".join([self._summary(now), *self._lines(now)]))

    def _redraw(self) -> None:
        """Have the live table, if there is one, show the present state."""
        if self._live:
            now = self._clock()
            self._live.update(Group(self._summary(now), self._table(now)), refresh=True)

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time until the sweep's end; None before any trial has a rate."""
        left = [trial.left(now) for trial in self._running.values()]
        known = [seconds for seconds in left if seconds is not None]
        spans = [*self._durations]
        for trial, seconds in zip(self._running.values(), left, strict=True):
            if seconds is not None:
                spans.append(now - trial.began + seconds)
        if not spans:
            return None
        span = sum(spans) / len(spans)
        unknown = len(left) - len(known) + self._waiting
        shared = (sum(known) + unknown * span) / self._slots
        return max([shared, *known])

    def _summary(self, now: float) -> str:
        doing = "saving" if self._ending else "running"
        done = f"{self._done} of {count_text(self._total, 'trial')} done"
        if self._phase and not self._ending:
            return f"{done}, {self._phase}; {_format_clock(now - self._began)} passed"
        counts = f"{done}, {len(self._running)} {doing}"
        if self._num_interrupted:
            counts += f", {self._num_interrupted} interrupted"
        passed = f"{_format_clock(now - self._began)} passed"
        if self._ending:  # the sweep ends before it is done
            return f"{counts}, {self._waiting} not started; {passed}"
        left = _format_clock(self.seconds_left(now))
        return f"{counts}, {self._waiting} waiting; {passed}" + (f", {left} left" if left else "")

    def _cells(self, trial: _Running, now: float) -> list[str]:
        if trial.first is None:
            return [trial.phase() or "starting", *(UNKNOWN for _ in self._tags), UNKNOWN]
        share = UNKNOWN if trial.share is None else f"{trial.share:.0%}"
        values = [_value(trial.metrics.get(tag)) for tag in self._tags]
        return [share, *values, _format_clock(trial.left(now)) or UNKNOWN]

    def _lines(self, now: float) -> list[str]:
        heads = ["", *(f"{head} " for head in self._heads), "left "]
        lines = []
        for trial in self._running.values():
            cells = zip(heads, self._cells(trial, now), strict=True)
            known = [head + cell for head, cell in cells if cell != UNKNOWN]
            lines.append("  ".join([trial.shown, *known]))
        return lines

    def _table(self, now: float) -> Table:
        name_column = Column("trial", overflow="fold")
        table = Table(name_column, box=None, pad_edge=False, header_style="bold")
        for head in ["done", *self._heads, "left"]:
            table.add_column(head, justify="right", no_wrap=True)
        most = max(1, self._console.height - SUMMARY_LINES)
        for trial in list(self._running.values())[:most]:
            table.add_row(trial.shown, *self._cells(trial, now))
        if (rest := len(self._running) - most) > 0:
            table.add_row(f"... and {rest} more")
        fold_heads(table, self._console.width)
        return table


def _short_name(name: str) -> str:
    """A trial's name without its id, with short values."""
    pairs = (name.rpartition(",id=")[0] or name).split(",")
    parts = [pair.rpartition("=") for pair in pairs]
    return ",".join(f"{key}{sign}{shorten(value, VALUE_WIDTH)}" for key, sign, value in parts)


def _value(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.5g}"


def _format_clock(seconds: float | None) -> str:
    """Format a time: `1:05` for 65 seconds, `2:03:00` above an hour; empty for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
