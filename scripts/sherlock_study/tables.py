"""The tables of docs/sherlock.md: our figures beside those of the study, one function a table.

Losses are NCE as in the study: its "mean of the last 20 batches" of an epoch stands beside
`train/loss` of the last report of one, a mean over the last 199 updates of 6,949 (predict=last), or
98 of 348 (all). Perplexity is that of the full softmax on the validation split.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.harness.tables import Table
from scripts.sherlock_study import published
from scripts.sherlock_study.trials import Course, Row, pick

NONE = "-"
RULES = {"sherlock": "momentum", "sherlock_adam": "Adam", "sherlock_rmsprop": "RMSProp"}
TIMES_LOWEST = 1.5
"""A loss of so many times the lowest before it has exploded."""
SATURATION = {"rnn": "out", "gru": "candidate", "lstm": "cell_out"}
"""The tanh of each cell's first layer that the tables follow: its output, where it is one."""


def number(value: float | None, digits: int = 2) -> str:
    """A number for a cell of a table; whole from 1,000."""
    return NONE if value is None else f"{value:,.{digits if abs(value) < 1000 else 0}f}"


def of(row: Row | None, tag: str, digits: int = 2) -> str:
    """A value of a report."""
    return number(None if row is None else row.get(tag), digits)


def percent(value: float | None) -> str:
    """A share."""
    return NONE if value is None else f"{value:.0%}"


def saturated(course: Course) -> list[float]:
    """Shares of saturated units of the recurrence's tanh, at each look."""
    name = SATURATION[str(course.config["model"]["cell"])]
    return course.values(f"within/saturation/layer_1/{name}")


def trace(courses: Sequence[Course]) -> Table:
    """Loss over epochs beside the study's 75."""
    last, every = pick(courses, predict="last"), pick(courses, predict="all")
    longest = max((len(course.ends) for course in courses), default=0)
    epochs = [epoch for epoch in (1, 2, 3, 5, 8, 10, 20, 30, 40, 50, 60, 75) if epoch <= longest]

    def cells(epoch: int) -> list[str]:
        theirs = [number(found.get(epoch), 3) for found in (published.TRACE, published.TRACE_AGAIN)]
        ends = [course.end(epoch) if course else None for course in (last, every)]
        tags = ("train/loss", "valid/perplexity")
        return [str(epoch), *theirs, *(of(end, tag, 2) for end in ends for tag in tags)]

    header = ["epoch", "study", "again", "`last`", "perplexity", "`all`", "perplexity"]
    return Table("NCE over epochs", header, [cells(epoch) for epoch in epochs])


def momentum(courses: Sequence[Course]) -> Table:
    """Learning rate x momentum after one epoch."""
    rows = []
    for (rate, kept), theirs in published.GRID.items():
        found = pick(courses, learning_rate=rate, momentum=kept)
        end = found.end(1) if found else None
        rows.append([rate, kept, number(theirs), of(end, "train/loss"), status(found)])
    theirs_first = sorted(published.GRID, key=lambda one: published.GRID[one])
    ours_first = [
        (course.setting("learning_rate"), course.setting("momentum"))
        for course in by_loss(courses, 1)
    ]
    header = ["learning rate", "momentum", "study", "ours", ""]
    caption = (
        f"Best first: {_order(theirs_first)} in the study, {_order(ours_first)} here."
        if len(ours_first) == len(theirs_first)
        else ""
    )
    return Table("NCE after one epoch", header, rows, caption, words=2)


def _order(settings: Iterable[tuple[str, str]]) -> str:
    return ", ".join("/".join(one) for one in settings)


def status(course: Course | None) -> str:
    """How a trial ended, where it is not as usual."""
    if course is None:
        return "not run"
    return "" if course.status == "finished" else course.status


def by_loss(courses: Iterable[Course], epoch: int) -> list[Course]:
    """Those that have ended an epoch, the lowest loss first."""
    ended = [(end["train/loss"], course) for course in courses if (end := course.end(epoch))]
    return [course for _, course in sorted(ended, key=lambda one: one[0])]


def clip_level(courses: Sequence[Course]) -> Table:
    """Clip levels beside the study's."""
    rows = []
    for level, (first, second, end) in published.CLIPPED.items():
        found = pick(courses, clip_norm=level)
        last = found.ends[-1] if found and found.ends else None
        seen = saturated(found) if found else []
        clipped = statistics.fmean(found.values("train/clipped_share")) if found else None
        rows.append(
            [
                *(level, number(first, 1), number(second, 1), number(end)),
                of(found.end(1) if found else None, "train/loss"),
                of(last, "valid/perplexity", 0),
                percent(clipped),
                percent(max(seen, default=None)),
            ]
        )
    header = ["clip level", "study, epoch 1", "2", "25", "ours, epoch 1"]
    header += ["perplexity", "updates clipped", "most saturated"]
    return Table("NCE by clip level, learning rate 0.01", header, rows)


def layers(courses: Sequence[Course]) -> Table:
    """Eight layer sizes, the best first, and whether the hidden width alone groups them."""
    epoch = min((len(course.ends) for course in courses), default=0)
    ranked = by_loss(courses, epoch)
    axes = ("hidden_size", "rnn_size", "embed_size")
    rows = []
    for course in ranked:
        end = course.end(epoch)
        sizes = [course.setting(axis) for axis in axes]
        rows.append([*sizes, of(end, "train/loss", 3), of(end, "valid/perplexity", 1)])
    header = ["hidden", "recurrence", "embedding", f"NCE, epoch {epoch}", "perplexity"]
    words = [f"{axis} {gap(ranked, axis, epoch)}" for axis in axes]
    groups = ["the two groups of the study: " + ("yes" if _split(ranked) else "no")]
    caption = f"Mean loss of the smaller width less that of the larger: {', '.join(words)}; "
    return Table("The layer grid", header, rows, caption + groups[0] + ".", words=3)


def gap(courses: Sequence[Course], axis: str, epoch: int) -> str:
    """`loss_gap` for a caption."""
    found = loss_gap(courses, axis, epoch)
    return NONE if found is None else f"{found:+.3f}"


def loss_gap(courses: Sequence[Course], axis: str, epoch: int) -> float | None:
    """Mean loss with the smaller value of an axis of two, less that with the larger."""
    values = sorted({int(course.setting(axis)) for course in courses})
    if len(values) != 2:
        return None
    small, large = (
        statistics.fmean(
            course.ends[epoch - 1]["train/loss"]
            for course in courses
            if course.setting(axis) == str(value)
        )
        for value in values
    )
    return small - large


def _split(ranked: Sequence[Course]) -> bool:
    """Whether all wide hidden layers come before all narrow ones."""
    widths = [int(course.setting("hidden_size")) for course in ranked]
    return len(set(widths)) == 2 and widths == sorted(widths, reverse=True)


def cells(courses: Sequence[Course]) -> Table:
    """LSTM and GRU at three learning rates, and how long an update takes."""
    rows = []
    for cell in ("lstm", "gru"):
        for rate in ("0.01", "0.05", "0.1"):
            found = pick(courses, cell=cell, learning_rate=rate)
            end = found.ends[-1] if found and found.ends else None
            ms = number(found.update_ms if found else None, 1)
            measured = [of(end, tag) for tag in ("train/loss", "valid/perplexity")]
            rows.append([cell, rate, *measured, ms, status(found)])
    spreads = [f"{cell} {_spread(courses, cell)}" for cell in ("lstm", "gru")]
    caption = f"Largest less smallest loss over the rates: {', '.join(spreads)}."
    header = ["cell", "learning rate", "NCE", "perplexity", "ms an update", ""]
    return Table("LSTM and GRU", header, rows, caption, words=2)


def _spread(courses: Sequence[Course], cell: str) -> str:
    found = [c.ends[-1]["train/loss"] for c in courses if c.ends and c.setting("cell") == cell]
    return number(max(found) - min(found)) if found else NONE


def learning_rate(courses: Sequence[Course]) -> Table:
    """Learning rates, their loss and how many units are saturated."""
    rows = []
    for rate in ("0.001", "0.01", "0.03", "0.1"):
        found = pick(courses, learning_rate=rate)
        end = found.ends[-1] if found and found.ends else None
        seen = saturated(found) if found else []
        peak = [percent(max(seen)), percent(seen[-1])] if seen else [NONE, NONE]
        measured = [of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        rows.append([rate, *measured, *peak, status(found)])
    header = ["learning rate", "NCE", "perplexity", "most saturated", "in the end", ""]
    return Table("Learning rates, momentum 0.8", header, rows)


def optimizers(courses: Sequence[Course]) -> Table:
    """Update rules per epoch and per second."""
    shown = {name: pick(courses, experiment=name) for name in RULES}
    shortest = min(
        (course.update_ms * course.rows[-1]["step"] / 1000 for course in shown.values() if course),
        default=0.0,
    )
    rows = []
    for name, course in shown.items():
        end = course.ends[-1] if course and course.ends else None
        ms = number(course.update_ms if course else None, 1)
        seconds = of(loss_after(course, shortest) if course else None, "train/loss")
        measured = [of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        rows.append([RULES[name], *measured, ms, seconds, status(course)])
    header = ["rule", "NCE", "perplexity", "ms an update", f"NCE after {shortest:.0f} s", ""]
    return Table("Update rules", header, rows)


def loss_after(course: Course, seconds: float) -> dict[str, float] | None:
    """The last report within so many seconds of training."""
    within = [row for spent, row in course.seconds() if spent <= seconds * 1.02]
    return dict(within[-1]) if within else None


def basic_rnn(courses: Sequence[Course]) -> Table:
    """The basic RNN's loss, gradient and saturation at each sequence length."""
    rows = []
    for steps, theirs in published.EXPLODED.items():
        found = pick(courses, sequence_length=steps)
        if found is None:
            rows.append([steps, theirs, *[NONE] * 6])
            continue
        losses, norms = found.values("train/loss"), found.values("train/grad_norm")
        finite = [norm for norm in norms if math.isfinite(norm)]
        seen = saturated(found)
        rows.append(
            [
                *(steps, theirs, exploded(found), number(min(losses)), number(losses[-1])),
                number(max(finite, default=None), 1),
                f"{percent(seen[0])}, {percent(max(seen))}, {percent(seen[-1])}" if seen else NONE,
                status(found),
            ]
        )
    header = ["steps", "study exploded", "ours", "lowest NCE", "last NCE", "largest gradient"]
    header += ["saturated: first, most, last", ""]
    updates = max((int(course.rows[-1]["step"]) for course in courses), default=0)
    caption = (
        f"Exploded: the first loss above {TIMES_LOWEST} times the lowest before it, in {updates:,} "
        "updates. Losses and gradient norms are means over 250 updates."
    )
    return Table("The basic RNN", header, rows, caption)


def exploded(course: Course) -> str:
    """The update of the first loss far above the lowest before it; `never`, or diverged."""
    lowest = math.inf
    for row in course.rows:
        loss = row["train/loss"]
        if not math.isfinite(loss) or loss > TIMES_LOWEST * lowest:
            return f"{int(row['step']):,}"
        lowest = min(lowest, loss)
    return "never"


def schedule(courses: Sequence[Course]) -> Table:
    """Learning rates that change."""
    rows = []
    best_first = [*by_loss(courses, min((len(one.ends) for one in courses), default=0))]
    for course in best_first:
        changes = course.config["train"]["changes"]
        rates = [course.config["optimizer"]["learning_rate"]]
        rates += [change["optimizer.learning_rate"] for change in changes]
        steps = [f"{int(change['step']):,}" for change in changes]
        end = course.ends[-1] if course.ends else None
        measured = [of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        name = ", ".join(f"{rate:g}" for rate in rates)
        rows.append([name, ", ".join(steps) or NONE, *measured, status(course)])
    header = ["learning rates", "from update", "NCE", "perplexity", ""]
    return Table("Learning rates that change", header, rows, words=2)


def best_epoch(course: Course) -> int:
    """That of the lowest validation loss, from 1."""
    losses = [end["valid/loss"] for end in course.ends]
    return losses.index(min(losses)) + 1


def held_out(courses: Sequence[Course]) -> Table:
    """The training loss and the validation split: where each is lowest."""
    rows = []
    for predict in ("last", "all"):
        found = pick(courses, predict=predict)
        if found is None or not found.ends:
            rows.append([f"`{predict}`", *[NONE] * 6])
            continue
        ends = found.ends
        best = best_epoch(found) - 1
        rows.append(
            [
                *(f"`{predict}`", str(len(ends)), str(best + 1)),
                *(number(ends[index]["valid/perplexity"], 1) for index in (best, -1)),
                *(number(ends[index]["train/loss"]) for index in (best, -1)),
            ]
        )
    header = ["predict", "epochs", "best epoch", "perplexity there", "in the end"]
    header += ["NCE there", "in the end"]
    return Table("The validation split", header, rows)


TABLES: dict[str, tuple[str, Callable[[Sequence[Course]], Table]]] = {
    "trace": ("sherlock_predict", trace),
    "momentum": ("sherlock_momentum", momentum),
    "clip_level": ("sherlock_clip_level", clip_level),
    "layers": ("sherlock_layers", layers),
    "cells": ("sherlock_cell", cells),
    "learning_rate": ("sherlock_learning_rate", learning_rate),
    "optimizers": ("sherlock_optimizer", optimizers),
    "basic_rnn": ("sherlock_basic_rnn", basic_rnn),
    "schedule": ("sherlock_schedule", schedule),
    "held_out": ("sherlock_predict", held_out),
}
"""Name in the document -> the sweep that it is made of, and how."""
