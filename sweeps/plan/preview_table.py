"""Prints what a sweep would run and what that would cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psutil
from rich.console import Console
from rich.table import Table

from sweeps.analysis.tables import print_settings
from sweeps.analysis.value_texts import ValueTexts
from sweeps.io.console import count_text, print_line
from sweeps.naming import short_keys
from sweeps.plan.cost import SESSION_SECONDS, Cost, pack_cost, peak_bytes, wall_seconds
from sweeps.plan.packs import Pack, pack_summary
from sweeps.store import Trial

HEAD_ROWS, TAIL_ROWS = 12, 4
"""Trials shown of a longer sweep: the first and the last ones."""


@dataclass(frozen=True, kw_only=True)
class TrialPreview:
    """A trial of the sweep, before it runs."""

    settings: Mapping[str, str]
    """Axis key in full -> label."""
    command: str = ""
    """Trains the trial alone; has the values that the labels stand for."""
    earlier: Trial | None = None
    """The trial's folder as it stands; None: there is none."""
    cost: Cost | None = None
    """Cost of the whole trial, whatever was done before; None: it is not known."""
    done: bool = False
    """Whether nothing is left to compute."""
    copied_from: str | None = None
    """Name of a sweep beside this one that has trained it; None: there is none."""

    @property
    def will_run(self) -> bool:
        """Whether the trial is to be trained, or trained on."""
        return not self.done and self.copied_from is None

    @property
    def state(self) -> str:
        """`done`, `copied from SWEEP`, `to run`, or `goes on at step N`."""
        if self.done:
            return "done"
        if self.copied_from is not None:
            return f"copied from {self.copied_from}"
        if self.earlier and self.earlier.step:
            return f"goes on at step {self.earlier.step}"
        return "to run"

    @property
    def remaining_cost(self) -> Cost | None:
        """Cost of the steps that are left; None: none are left, or the cost is not known."""
        if self.cost is None or not self.will_run:
            return None
        cost, total = self.cost, self.earlier.total_steps if self.earlier else None
        if not self.earlier or not total:
            return cost
        share = max(0.0, 1 - self.earlier.step / total)
        updates = share * (cost.seconds - cost.compile_seconds)
        return replace(cost, seconds=cost.compile_seconds + updates)


def print_preview(
    console: Console,
    lines: Sequence[TrialPreview],
    slots: int,
    *,
    packs: Sequence[Pack] = (),
    num_unknown: int = 0,
    sample_costs: Sequence[Cost] = (),
    zipped: Sequence[Sequence[str]] = (),
    exclude: Sequence[str] = (),
    num_excluded: int = 0,
    memory: int | None = None,
    keep_checkpoints: str = "best",
) -> None:
    """Print one row for each trial, then the time and memory of the whole sweep.

    Args:
      console: where to print.
      lines: the trials, in the order in which they start.
      slots: trials, or packs of them, that run at the same time.
      packs: of all trials to run, as indices of `lines`; empty: each is trained alone.
      num_unknown: further trials, whose settings a search suggests as it learns.
      sample_costs: what some of these further trials might cost.
      zipped: axes that step together (`sweep.zip`).
      exclude: the rules of `sweep.exclude`.
      num_excluded: combinations that these rules leave out.
      memory: bytes of the machine; None: of this one.
      keep_checkpoints: what finished trials keep of their checkpoints.
    """
    if lines:
        _print_table(console, lines)
    left = (
        _pack_costs(lines, packs)
        if packs
        else [cost for line in lines if (cost := line.remaining_cost)]
    )
    left += [
        sample_costs[index % len(sample_costs)] for index in range(num_unknown) if sample_costs
    ]
    for text in (
        _counts(lines, packs, num_unknown),
        *(f"sweep.zip: {', '.join(keys)} step together" for keys in zipped),
        *([f"sweep.exclude: {num_excluded} left out by {'; '.join(exclude)}"] if exclude else []),
        *(_costs(left, packs, slots, memory or psutil.virtual_memory().total) if left else []),
        *_disk(lines, sample_costs, num_unknown, keep_checkpoints),
    ):
        print_line(console, text)


def _print_table(console: Console, lines: Sequence[TrialPreview]) -> None:
    axes = list(lines[0].settings)
    texts = ValueTexts((line.settings, line.command) for line in lines)
    settings = [{axis: texts(axis, line.settings.get(axis, "")) for axis in axes} for line in lines]

    def build(width: int | None) -> Table:
        return _table(lines, texts, width)

    print_settings(console, build, axes, settings, first=1)
    print_line(console)


def _table(lines: Sequence[TrialPreview], texts: ValueTexts, width: int | None) -> Table:
    """A row for each trial, whose values have at most so many characters."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    heads = ["#", *short_keys(list(lines[0].settings))]
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("state")
    for head in ("parameters", "time", "memory"):
        table.add_column(head, justify="right")
    hidden = len(lines) - HEAD_ROWS - TAIL_ROWS
    for index, line in enumerate(lines):
        if hidden > 1 and index == HEAD_ROWS:
            table.add_row("...", *([""] * (len(heads) - 1)), f"{hidden} more")
        if hidden <= 1 or not HEAD_ROWS <= index < HEAD_ROWS + hidden:
            values = (texts(axis, name, width) for axis, name in line.settings.items())
            table.add_row(str(index + 1), *values, *_cells(line))
    return table


def _pack_costs(lines: Sequence[TrialPreview], packs: Sequence[Pack]) -> list[Cost]:
    """The cost of each pack, as far as its trials' costs are known."""
    found = []
    for pack in packs:
        costs = [cost for lane in pack.lanes if (cost := lines[lane].remaining_cost)]
        if costs:
            found.append(pack_cost(costs, pack.free_lanes) if pack.vectorized else costs[0])
    return found


def _cells(line: TrialPreview) -> list[str]:
    parameters = number(line.cost.parameters) if line.cost else ""
    left = line.remaining_cost
    return [line.state, parameters, *([duration(left.seconds), size(left.bytes)] if left else [])]


def _counts(lines: Sequence[TrialPreview], packs: Sequence[Pack], num_unknown: int) -> str:
    runs = sum(line.will_run for line in lines)
    words = [f"{runs + num_unknown} to run {pack_summary(packs)}".rstrip()]
    if copied := sum(line.copied_from is not None for line in lines):
        words.insert(0, f"{copied} copied")
    if done := sum(line.done for line in lines):
        words.insert(0, f"{done} done before")
    if num_unknown:
        words.append(f"the settings of {num_unknown} are chosen as the search learns")
    return f"{count_text(len(lines) + num_unknown, 'trial')}: {', '.join(words)}"


def _costs(left: Sequence[Cost], packs: Sequence[Pack], slots: int, memory: int) -> list[str]:
    """Sentences on programs, time and memory."""
    programs = count_text(len({cost.program for cost in left}), "program")
    trials = count_text(sum(len(pack.lanes) for pack in packs) or len(left), "trial")
    slots = min(slots, len(left))
    what = count_text(slots, "pack" if packs else "trial")
    seconds = SESSION_SECONDS + wall_seconds(left, slots)
    peak = peak_bytes(left, slots)
    texts = [
        f"to compile: {trials} = {programs}",
        f"time:       about {duration(seconds)}, {what} at a time{_assumption(packs)}",
        f"memory:     about {size(peak)} at most, of {size(memory)}",
    ]
    if peak > memory:
        texts.append(
            f"warning: {what} at a time will not fit into memory; give each more "
            "of the machine with sweep.cpus_per_trial=N, so that fewer run together, or make the "
            "largest models or batches smaller."
        )
    return texts


def _disk(
    lines: Sequence[TrialPreview],
    sample_costs: Sequence[Cost],
    num_unknown: int,
    keep_checkpoints: str,
) -> list[str]:
    """Say how much room checkpoints take; nothing where that is not known."""
    costs = [line.cost for line in lines if line.will_run and line.cost]
    if sample_costs:
        costs += [sample_costs[index % len(sample_costs)] for index in range(num_unknown)]
    sizes = [cost.checkpoint_bytes for cost in costs if cost.checkpoint_bytes is not None]
    if not sizes:
        return []
    kept = sum((cost.checkpoint_bytes or 0) * cost.num_kept for cost in costs)
    return [
        f"disk:       up to {size(kept)} of checkpoints kept "
        f"(sweep.keep_checkpoints={keep_checkpoints}), of {size(max(sizes))} each"
    ]


def _assumption(packs: Sequence[Pack]) -> str:
    """Say which speed of packs the time assumes; empty without packs."""
    free = min((pack.free_lanes for pack in packs if pack.vectorized), default=0)
    if not free:
        return ""
    one = f"up to {free} trials of a pack" if free > 1 else "a pack of k"
    return f"; {one} taken to last as long as {'one' if free > 1 else 'k trials'}"


def number(count: int) -> str:
    """Shorten a count: `843`, `12.3k`, `1.2M`."""
    return _scaled(count, 1000, ("", "k", "M", "G", "T"))


def size(count: int) -> str:
    """Shorten a number of bytes, in powers of 1000: `240 MB`, `1.3 GB`."""
    return _scaled(count, 1000, (" B", " kB", " MB", " GB", " TB"))


def duration(seconds: float) -> str:
    """Shorten a time: `8 s`, `3 min`, `1.5 h`, `2.1 days`."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * length:
            return f"{_two_digits(seconds / length)} {unit}"
    return f"{_two_digits(seconds)} s"


def _scaled(value: float, base: int, units: Sequence[str]) -> str:
    power = 0
    while value >= 0.9995 * base and power < len(units) - 1:
        value, power = value / base, power + 1
    return f"{_two_digits(value) if power else f'{value:.0f}'}{units[power]}"


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
