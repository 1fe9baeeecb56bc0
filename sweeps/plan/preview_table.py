"""What a sweep would run and what that would cost, shown before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psutil
from rich.console import Console
from rich.table import Table

from sweeps.io.console import print_table
from sweeps.naming import short_keys
from sweeps.plan.cost import SESSION_SECONDS, Cost, pack_cost, peak_bytes, wall_seconds
from sweeps.plan.packs import Pack, pack_summary
from sweeps.store.trial import Trial

HEAD, TAIL = 12, 4
"""Rows shown of a longer sweep."""


@dataclass(frozen=True)
class TrialPreview:
    """A trial that the sweep has."""

    settings: Mapping[str, str]
    """Axis key in full -> label."""
    earlier: Trial | None = None
    """Its folder as it stands, where there is one."""
    cost: Cost | None = None
    """From the start, whatever was done before; None: nothing is known of it."""
    done: bool = False
    """Whether nothing is left to compute."""
    elsewhere: str | None = None
    """A sweep beside this one that has trained it, and that it is copied from."""

    @property
    def runs(self) -> bool:
        """Whether anything of it is to be run."""
        return not self.done and self.elsewhere is None

    @property
    def state(self) -> str:
        """`done`, `copied from SWEEP`, `to run`, or `goes on at step N`."""
        if self.done:
            return "done"
        if self.elsewhere is not None:
            return f"copied from {self.elsewhere}"
        if self.earlier and self.earlier.step:
            return f"goes on at step {self.earlier.step}"
        return "to run"

    @property
    def left(self) -> Cost | None:
        """What is left to spend; None where nothing is, or nothing is known."""
        if self.cost is None or not self.runs:
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
    unknown: int = 0,
    samples: Sequence[Cost] = (),
    linked: Sequence[Sequence[str]] = (),
    exclude: Sequence[str] = (),
    excluded: int = 0,
    memory: int | None = None,
) -> None:
    """Print a row a trial, then what all of them take together.

    Args:
      console: where to print.
      lines: the trials, in the order in which they start.
      slots: trials, or packs of them, that run at the same time.
      packs: all that are to be run, by their places in `lines`; none: each is trained alone.
      unknown: further trials, whose settings a search chooses as it learns.
      samples: what some of those might cost.
      linked: axes that step together (`sweep.zip`).
      exclude: the rules of `sweep.exclude`.
      excluded: combinations that they leave out.
      memory: bytes of the machine; None: asked of this one.
    """
    if lines:
        _print_table(console, lines)
    left = _packed(lines, packs) if packs else [cost for line in lines if (cost := line.left)]
    left += [samples[place % len(samples)] for place in range(unknown) if samples]
    for text in (
        _counts(lines, packs, unknown),
        *(f"sweep.zip: {', '.join(keys)} step together" for keys in linked),
        *([f"sweep.exclude: {excluded} left out by {'; '.join(exclude)}"] if exclude else []),
        *(_costs(left, packs, slots, memory or psutil.virtual_memory().total) if left else []),
    ):
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _print_table(console: Console, lines: Sequence[TrialPreview]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    heads = ["#", *short_keys(list(lines[0].settings))]
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("state")
    for head in ("parameters", "time", "memory"):
        table.add_column(head, justify="right")
    hidden = len(lines) - HEAD - TAIL
    for place, line in enumerate(lines):
        if hidden > 1 and place == HEAD:
            table.add_row("...", *([""] * (len(heads) - 1)), f"{hidden} more")
        if hidden <= 1 or not HEAD <= place < HEAD + hidden:
            table.add_row(str(place + 1), *line.settings.values(), *_cells(line))
    print_table(console, table)
    console.print()


def _packed(lines: Sequence[TrialPreview], packs: Sequence[Pack]) -> list[Cost]:
    """What each pack costs, as far as its trials' costs are known."""
    found = []
    for pack in packs:
        costs = [cost for at in pack.members if (cost := lines[at].left)]
        if costs:
            found.append(pack_cost(costs, pack.pay) if pack.together else costs[0])
    return found


def _cells(line: TrialPreview) -> list[str]:
    parameters = number(line.cost.parameters) if line.cost else ""
    left = line.left
    return [line.state, parameters, *([duration(left.seconds), size(left.bytes)] if left else [])]


def _counts(lines: Sequence[TrialPreview], packs: Sequence[Pack], unknown: int) -> str:
    runs = sum(line.runs for line in lines)
    words = [f"{runs + unknown} to run {pack_summary(packs)}".rstrip()]
    if copied := sum(line.elsewhere is not None for line in lines):
        words.insert(0, f"{copied} copied")
    if done := sum(line.done for line in lines):
        words.insert(0, f"{done} done before")
    if unknown:
        words.append(f"the settings of {unknown} are chosen as the search learns")
    return f"{_many(len(lines) + unknown, 'trial')}: {', '.join(words)}"


def _costs(left: Sequence[Cost], packs: Sequence[Pack], slots: int, memory: int) -> list[str]:
    """Sentences on programs, time and memory."""
    programs = _many(len({cost.program for cost in left}), "program")
    trials = _many(sum(len(pack.members) for pack in packs) or len(left), "trial")
    slots = min(slots, len(left))
    what = _many(slots, "pack" if packs else "trial")
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


def _assumption(packs: Sequence[Pack]) -> str:
    """How the time of packs was reckoned."""
    pays = [pack.pay for pack in packs if pack.together]
    if not pays:
        return ""
    pay = min(pays)
    one = f"up to {pay} trials of a pack" if pay > 1 else "a pack of k"
    return f"; {one} taken to last as long as {'one' if pay > 1 else 'k trials'}"


def number(count: int) -> str:
    """`843`, `12.3k`, `1.2M`."""
    return _scaled(count, 1000, ("", "k", "M", "G", "T"))


def size(count: int) -> str:
    """Bytes, in powers of 1000: `240 MB`, `1.3 GB`."""
    return _scaled(count, 1000, (" B", " kB", " MB", " GB", " TB"))


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `1.5 h`, `2.1 days`."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * length:
            return f"{_two_digits(seconds / length)} {unit}"
    return f"{_two_digits(seconds)} s"


def _scaled(value: float, base: int, units: Sequence[str]) -> str:
    place = 0
    while value >= 0.9995 * base and place < len(units) - 1:
        value, place = value / base, place + 1
    return f"{_two_digits(value) if place else f'{value:.0f}'}{units[place]}"


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
