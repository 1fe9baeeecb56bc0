"""Further tables of docs/sherlock.md: update rules, the basic RNN, schedules, held-out text."""

import math
from collections.abc import Callable, Sequence

from benchmarks.tables import Table
from scripts.sherlock import published
from scripts.sherlock.runs import Course, pick
from scripts.sherlock.tables import NONE, by_loss, number, of, percent, saturated, status

RULES = {"sherlock": "momentum", "sherlock_adam": "Adam", "sherlock_rmsprop": "RMSProp"}
TIMES_LOWEST = 1.5
"""A loss of so many times the lowest before it has exploded."""


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
    "optimizers": ("sherlock_optimizer", optimizers),
    "basic_rnn": ("sherlock_basic_rnn", basic_rnn),
    "schedule": ("sherlock_schedule", schedule),
    "held_out": ("sherlock_predict", held_out),
}
"""Name in the document -> the sweep that it is made of, and how."""
