"""The study's findings as yes or no, each by a rule."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.harness.tables import Table
from scripts.sherlock_study.tables import (
    RULES,
    best_epoch,
    explosion_step,
    loss_gap,
    ranked_by_loss,
)
from scripts.sherlock_study.trials import StudyTrial, pick

Judge = Callable[[Sequence[StudyTrial]], tuple[bool, str]]
"""Trials of a sweep -> whether the finding holds by its rule, and what was measured."""


class Finding(NamedTuple):
    """A claim of the study, and the rule by which it counts as repeated."""

    claim: str
    rule: str
    sweep: str
    judge: Judge


def last_loss(trial: StudyTrial | None) -> float:
    """Return the loss of the last epoch; raises `LookupError` where the trial is missing."""
    if trial is None or not trial.ends:
        raise LookupError
    return trial.ends[-1]["train/loss"]


def _hidden(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    epoch = min(len(trial.ends) for trial in trials)
    axes = ("hidden_size", "rnn_size", "embed_size")
    gaps = [loss_gap(trials, axis, epoch) for axis in axes]
    hidden, *others = [gap if gap is not None else 0.0 for gap in gaps]
    return hidden > max(others), ", ".join(f"{gap:+.3f}" for gap in (hidden, *others))


def _grid(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    best = ranked_by_loss(trials, 1)[0]
    found = best.setting("learning_rate"), best.setting("momentum")
    return found == ("0.1", "0.8"), "/".join(found)


def _rates(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    ranked = ranked_by_loss(trials, min(len(trial.ends) for trial in trials))
    rates = [trial.setting("learning_rate") for trial in ranked]
    return rates[-1] == "0.001", "best first: " + ", ".join(rates)


def _schedule(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    def top(trial: StudyTrial) -> float:
        changes = trial.config["train"]["changes"]
        return max((change["optimizer.learning_rate"] for change in changes), default=0.0)

    worst = max(trials, key=last_loss)
    return top(
        worst
    ) > 0.4, f"highest loss: the one that goes up to {top(worst) or 'no other rate'}"


def _progress(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    losses = [last_loss(pick(trials, experiment=name)) for name in RULES]
    return losses[0] < min(losses[1:]), ", ".join(f"{loss:.2f}" for loss in losses)


def _rule_speed(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    times = [_ms(pick(trials, experiment=name)) for name in RULES]
    return min(times[1:]) > 1.5 * times[0], ", ".join(f"{ms:.1f}" for ms in times) + " ms"


def _ms(trial: StudyTrial | None) -> float:
    if trial is None:
        raise LookupError
    return trial.update_ms


def _cell_speed(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    lstm, gru = (_ms(pick(trials, cell=cell, learning_rate="0.05")) for cell in ("lstm", "gru"))
    return gru > lstm, f"{gru:.1f} and {lstm:.1f} ms"


def _sensitivity(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    spreads = []
    for cell in ("gru", "lstm"):
        losses = [last_loss(trial) for trial in trials if trial.setting("cell") == cell]
        spreads.append(max(losses) - min(losses))
    return spreads[0] > spreads[1], f"{spreads[0]:.2f} and {spreads[1]:.2f}"


def _unstable(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    found = {}
    for steps in ("3", "5", "10"):
        if (trial := pick(trials, sequence_length=steps)) is None:
            raise LookupError
        found[steps] = explosion_step(trial)
    stable = [steps for steps, when in found.items() if when == "never"]
    return stable == ["3"], ", ".join(f"{steps}: {when}" for steps, when in found.items())


def _clip(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    losses = [last_loss(pick(trials, clip_norm=level)) for level in ("0.01", "0.1", "1")]
    return losses == sorted(losses, reverse=True), ", ".join(f"{loss:.1f}" for loss in losses)


def _overfit(trials: Sequence[StudyTrial]) -> tuple[bool, str]:
    found = {predict: pick(trials, predict=predict) for predict in ("last", "all")}
    ends = {name: len(trial.ends) if trial else 0 for name, trial in found.items()}
    if not ends["last"]:
        raise LookupError
    best = {name: best_epoch(trial) for name, trial in found.items() if trial and ends[name]}
    measured = (f"`{name}`: epoch {epoch} of {ends[name]}" for name, epoch in best.items())
    return best["last"] < ends["last"], ", ".join(measured)


FINDINGS = (
    Finding(
        "The hidden layer's width matters most",
        "loss of the smaller width less the larger's: hidden, recurrence, embedding",
        "sherlock_layers",
        _hidden,
    ),
    Finding(
        "0.1 with momentum 0.8 is best after an epoch", "lowest loss", "sherlock_momentum", _grid
    ),
    Finding("0.001 is too low", "highest loss", "sherlock_learning_rate", _rates),
    Finding("9 times the rate is too much", "highest loss", "sherlock_schedule", _schedule),
    Finding(
        "Momentum learns more an epoch than Adam and RMSProp",
        "lowest loss: momentum, Adam, RMSProp",
        "sherlock_optimizer",
        _progress,
    ),
    Finding(
        "Adam and RMSProp take about twice as long",
        "both above 1.5 times an update",
        "sherlock_optimizer",
        _rule_speed,
    ),
    Finding("The GRU is slower than the LSTM", "time of an update", "sherlock_cell", _cell_speed),
    Finding(
        "The GRU is more sensitive to the learning rate",
        "largest less smallest loss over three rates: GRU, LSTM",
        "sherlock_cell",
        _sensitivity,
    ),
    Finding(
        "The basic RNN is stable with 3 steps only",
        "loss 1.5 times the lowest before, from update",
        "sherlock_basic_rnn",
        _unstable,
    ),
    Finding(
        "The lower the clip level, the slower",
        "order of the losses at 0.01, 0.1, 1",
        "sherlock_clip_level",
        _clip,
    ),
    Finding(
        "75 epochs overfit (ours)",
        "validation loss lowest before the end, with `last`",
        "sherlock_predict",
        _overfit,
    ),
)


def findings(sweeps: Mapping[str, Sequence[StudyTrial]]) -> Table:
    """Make the table of all findings; those whose trials are not all there have no answer."""
    rows = [[one.claim, one.rule, *_answer(one, sweeps[one.sweep])] for one in FINDINGS]
    return Table("The findings", ["the study", "rule", "measured", "holds"], rows, words=4)


def _answer(finding: Finding, trials: Sequence[StudyTrial]) -> tuple[str, str]:
    try:
        if not trials:
            raise LookupError
        holds, measured = finding.judge(trials)
    except LookupError:
        return "not run", "-"
    return measured, "yes" if holds else "no"
