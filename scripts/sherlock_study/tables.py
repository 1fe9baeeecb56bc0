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
from scripts.sherlock_study.trials import Row, StudyTrial, pick

NONE = "-"
RULES = {"sherlock": "momentum", "sherlock_adam": "Adam", "sherlock_rmsprop": "RMSProp"}
TIMES_LOWEST = 1.5
"""A loss has exploded at this multiple of the lowest before it."""
SATURATION = {"rnn": "out", "gru": "candidate", "lstm": "cell_out"}
"""The tanh of each cell's first layer that the tables follow: its output, where it is one."""


def number(value: float | None, digits: int = 2) -> str:
    """Format a number for a cell of a table; whole from 1,000."""
    return NONE if value is None else f"{value:,.{digits if abs(value) < 1000 else 0}f}"


def value_of(row: Row | None, tag: str, digits: int = 2) -> str:
    """Format the value of a tag in a report."""
    return number(None if row is None else row.get(tag), digits)


def percent(value: float | None) -> str:
    """Format a share."""
    return NONE if value is None else f"{value:.0%}"


def saturated(trial: StudyTrial) -> list[float]:
    """Shares of saturated units of the recurrence's tanh, in each report that has them."""
    name = SATURATION[str(trial.config["model"]["cell"])]
    return trial.values(f"within/saturation/layer_1/{name}")


def trace(trials: Sequence[StudyTrial]) -> Table:
    """Loss over epochs beside the study's 75."""
    last, every = pick(trials, predict="last"), pick(trials, predict="all")
    longest = max((len(trial.ends) for trial in trials), default=0)
    epochs = [epoch for epoch in (1, 2, 3, 5, 8, 10, 20, 30, 40, 50, 60, 75) if epoch <= longest]

    def cells(epoch: int) -> list[str]:
        theirs = [number(found.get(epoch), 3) for found in (published.TRACE, published.TRACE_AGAIN)]
        ends = [trial.end(epoch) if trial else None for trial in (last, every)]
        tags = ("train/loss", "valid/perplexity")
        return [str(epoch), *theirs, *(value_of(end, tag, 2) for end in ends for tag in tags)]

    header = ["epoch", "study", "again", "`last`", "perplexity", "`all`", "perplexity"]
    return Table("NCE over epochs", header, [cells(epoch) for epoch in epochs])


def momentum(trials: Sequence[StudyTrial]) -> Table:
    """Learning rate x momentum after one epoch."""
    rows = []
    for (rate, kept), theirs in published.GRID.items():
        found = pick(trials, learning_rate=rate, momentum=kept)
        end = found.end(1) if found else None
        rows.append([rate, kept, number(theirs), value_of(end, "train/loss"), status(found)])
    theirs_first = sorted(published.GRID, key=lambda one: published.GRID[one])
    ours_first = [
        (trial.setting("learning_rate"), trial.setting("momentum"))
        for trial in ranked_by_loss(trials, 1)
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


def status(trial: StudyTrial | None) -> str:
    """Return how a trial ended, empty where it finished."""
    if trial is None:
        return "not run"
    return "" if trial.status == "finished" else trial.status


def ranked_by_loss(trials: Iterable[StudyTrial], epoch: int) -> list[StudyTrial]:
    """Rank the trials that have ended an epoch by its loss, the lowest first."""
    ended = [(end["train/loss"], trial) for trial in trials if (end := trial.end(epoch))]
    return [trial for _, trial in sorted(ended, key=lambda one: one[0])]


def clip_level(trials: Sequence[StudyTrial]) -> Table:
    """Clip levels beside the study's."""
    rows = []
    for level, (first, second, end) in published.CLIPPED.items():
        found = pick(trials, clip_norm=level)
        last = found.ends[-1] if found and found.ends else None
        seen = saturated(found) if found else []
        clipped = statistics.fmean(found.values("train/clipped_share")) if found else None
        rows.append(
            [
                *(level, number(first, 1), number(second, 1), number(end)),
                value_of(found.end(1) if found else None, "train/loss"),
                value_of(last, "valid/perplexity", 0),
                percent(clipped),
                percent(max(seen, default=None)),
            ]
        )
    header = ["clip level", "study, epoch 1", "2", "25", "ours, epoch 1"]
    header += ["perplexity", "updates clipped", "most saturated"]
    return Table("NCE by clip level, learning rate 0.01", header, rows)


def layers(trials: Sequence[StudyTrial]) -> Table:
    """Eight layer sizes, the best first, and whether the hidden width alone groups them."""
    epoch = min((len(trial.ends) for trial in trials), default=0)
    ranked = ranked_by_loss(trials, epoch)
    axes = ("hidden_size", "rnn_size", "embed_size")
    rows = []
    for trial in ranked:
        end = trial.end(epoch)
        sizes = [trial.setting(axis) for axis in axes]
        rows.append([*sizes, value_of(end, "train/loss", 3), value_of(end, "valid/perplexity", 1)])
    header = ["hidden", "recurrence", "embedding", f"NCE, epoch {epoch}", "perplexity"]
    words = [f"{axis} {gap(ranked, axis, epoch)}" for axis in axes]
    groups = ["the two groups of the study: " + ("yes" if _split(ranked) else "no")]
    caption = f"Mean loss of the smaller width less that of the larger: {', '.join(words)}; "
    return Table("The layer grid", header, rows, caption + groups[0] + ".", words=3)


def gap(trials: Sequence[StudyTrial], axis: str, epoch: int) -> str:
    """`loss_gap` for a caption."""
    found = loss_gap(trials, axis, epoch)
    return NONE if found is None else f"{found:+.3f}"


def loss_gap(trials: Sequence[StudyTrial], axis: str, epoch: int) -> float | None:
    """Mean loss with the smaller value of an axis of two, less that with the larger."""
    values = sorted({int(trial.setting(axis)) for trial in trials})
    if len(values) != 2:
        return None
    small, large = (
        statistics.fmean(
            trial.ends[epoch - 1]["train/loss"]
            for trial in trials
            if trial.setting(axis) == str(value)
        )
        for value in values
    )
    return small - large


def _split(ranked: Sequence[StudyTrial]) -> bool:
    """Whether all wide hidden layers come before all narrow ones."""
    widths = [int(trial.setting("hidden_size")) for trial in ranked]
    return len(set(widths)) == 2 and widths == sorted(widths, reverse=True)


def cells(trials: Sequence[StudyTrial]) -> Table:
    """LSTM and GRU at three learning rates, and how long an update takes."""
    rows = []
    for cell in ("lstm", "gru"):
        for rate in ("0.01", "0.05", "0.1"):
            found = pick(trials, cell=cell, learning_rate=rate)
            end = found.ends[-1] if found and found.ends else None
            ms = number(found.update_ms if found else None, 1)
            measured = [value_of(end, tag) for tag in ("train/loss", "valid/perplexity")]
            rows.append([cell, rate, *measured, ms, status(found)])
    spreads = [f"{cell} {_spread(trials, cell)}" for cell in ("lstm", "gru")]
    caption = f"Largest less smallest loss over the rates: {', '.join(spreads)}."
    header = ["cell", "learning rate", "NCE", "perplexity", "ms an update", ""]
    return Table("LSTM and GRU", header, rows, caption, words=2)


def _spread(trials: Sequence[StudyTrial], cell: str) -> str:
    found = [c.ends[-1]["train/loss"] for c in trials if c.ends and c.setting("cell") == cell]
    return number(max(found) - min(found)) if found else NONE


def learning_rate(trials: Sequence[StudyTrial]) -> Table:
    """Learning rates, their loss and how many units are saturated."""
    rows = []
    for rate in ("0.001", "0.01", "0.03", "0.1"):
        found = pick(trials, learning_rate=rate)
        end = found.ends[-1] if found and found.ends else None
        seen = saturated(found) if found else []
        peak = [percent(max(seen)), percent(seen[-1])] if seen else [NONE, NONE]
        measured = [value_of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        rows.append([rate, *measured, *peak, status(found)])
    header = ["learning rate", "NCE", "perplexity", "most saturated", "in the end", ""]
    return Table("Learning rates, momentum 0.8", header, rows)


def optimizers(trials: Sequence[StudyTrial]) -> Table:
    """Update rules per epoch and per second."""
    shown = {name: pick(trials, experiment=name) for name in RULES}
    shortest = min(
        (trial.update_ms * trial.rows[-1]["step"] / 1000 for trial in shown.values() if trial),
        default=0.0,
    )
    rows = []
    for name, trial in shown.items():
        end = trial.ends[-1] if trial and trial.ends else None
        ms = number(trial.update_ms if trial else None, 1)
        seconds = value_of(loss_after(trial, shortest) if trial else None, "train/loss")
        measured = [value_of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        rows.append([RULES[name], *measured, ms, seconds, status(trial)])
    header = ["rule", "NCE", "perplexity", "ms an update", f"NCE after {shortest:.0f} s", ""]
    return Table("Update rules", header, rows)


def loss_after(trial: StudyTrial, seconds: float) -> dict[str, float] | None:
    """The last report within the first `seconds` of training."""
    within = [row for spent, row in trial.seconds() if spent <= seconds * 1.02]
    return dict(within[-1]) if within else None


def basic_rnn(trials: Sequence[StudyTrial]) -> Table:
    """The basic RNN's loss, gradient and saturation at each sequence length."""
    rows = []
    for steps, theirs in published.EXPLODED.items():
        found = pick(trials, sequence_length=steps)
        if found is None:
            rows.append([steps, theirs, *[NONE] * 6])
            continue
        losses, norms = found.values("train/loss"), found.values("train/grad_norm")
        finite = [norm for norm in norms if math.isfinite(norm)]
        seen = saturated(found)
        rows.append(
            [
                *(steps, theirs, explosion_step(found), number(min(losses)), number(losses[-1])),
                number(max(finite, default=None), 1),
                f"{percent(seen[0])}, {percent(max(seen))}, {percent(seen[-1])}" if seen else NONE,
                status(found),
            ]
        )
    header = ["steps", "study exploded", "ours", "lowest NCE", "last NCE", "largest gradient"]
    header += ["saturated: first, most, last", ""]
    updates = max((int(trial.rows[-1]["step"]) for trial in trials), default=0)
    caption = (
        f"Exploded: the first loss above {TIMES_LOWEST} times the lowest before it, in {updates:,} "
        "updates. Losses and gradient norms are means over 250 updates."
    )
    return Table("The basic RNN", header, rows, caption)


def explosion_step(trial: StudyTrial) -> str:
    """The update of the first loss far above the lowest before it; `never`, or diverged."""
    lowest = math.inf
    for row in trial.rows:
        loss = row["train/loss"]
        if not math.isfinite(loss) or loss > TIMES_LOWEST * lowest:
            return f"{int(row['step']):,}"
        lowest = min(lowest, loss)
    return "never"


def schedule(trials: Sequence[StudyTrial]) -> Table:
    """Learning rates that change."""
    rows = []
    best_first = [*ranked_by_loss(trials, min((len(one.ends) for one in trials), default=0))]
    for trial in best_first:
        changes = trial.config["train"]["changes"]
        rates = [trial.config["optimizer"]["learning_rate"]]
        rates += [change["optimizer.learning_rate"] for change in changes]
        steps = [f"{int(change['step']):,}" for change in changes]
        end = trial.ends[-1] if trial.ends else None
        measured = [value_of(end, tag) for tag in ("train/loss", "valid/perplexity")]
        name = ", ".join(f"{rate:g}" for rate in rates)
        rows.append([name, ", ".join(steps) or NONE, *measured, status(trial)])
    header = ["learning rates", "from update", "NCE", "perplexity", ""]
    return Table("Learning rates that change", header, rows, words=2)


def best_epoch(trial: StudyTrial) -> int:
    """Return the epoch of the lowest validation loss, from 1."""
    losses = [end["valid/loss"] for end in trial.ends]
    return losses.index(min(losses)) + 1


def held_out(trials: Sequence[StudyTrial]) -> Table:
    """The training loss and the validation split: where each is lowest."""
    rows = []
    for predict in ("last", "all"):
        found = pick(trials, predict=predict)
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


TABLES: dict[str, tuple[str, Callable[[Sequence[StudyTrial]], Table]]] = {
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
