"""The tables of docs/sherlock.md on losses: ours beside the study's, one function a finding.

Losses are NCE as in the study: its "mean of the last 20 batches" of an epoch stands beside
`train/loss` of the last report of one, a mean over the last 199 updates of 6,949 (predict=last), or
98 of 348 (all). Perplexity is that of the full softmax on the validation split.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.tables import Table
from scripts.sherlock import published
from scripts.sherlock.runs import Course, Row, pick

NONE = "-"
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


TABLES: dict[str, tuple[str, Callable[[Sequence[Course]], Table]]] = {
    "trace": ("sherlock_predict", trace),
    "momentum": ("sherlock_momentum", momentum),
    "clip_level": ("sherlock_clip_level", clip_level),
    "layers": ("sherlock_layers", layers),
    "cells": ("sherlock_cell", cells),
    "learning_rate": ("sherlock_learning_rate", learning_rate),
}
"""Name in the document -> the sweep that it is made of, and how."""
