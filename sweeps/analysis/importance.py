"""How much of the metric's variance each axis explains: fANOVA, as Optuna has it.

Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
ICML 2014. A forest is fitted to the best values; an axis's importance is the variance of the
forest's mean over all other axes, as a share of the whole. What the shares leave to 1 is in
interactions of axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.analysis.ranking import ScoredTrial
from sweeps.labels import are_numbers, sort_labels

LEAST = 4
"""Trials below which a forest says nothing."""
DEPTH = 8
"""Of the trees. At 2,000 trials the shares agree with those of unbounded trees to the second
digit, in 4 s instead of 90."""


@dataclass(frozen=True)
class Importance:
    """Axis -> share of the variance, 0 to 1, the largest first; empty for a reason."""

    shares: dict[str, float] = field(default_factory=dict)
    trials: int = 0
    """Finished and stopped trials with a finite value: those it is computed from."""
    reason: str = ""
    """Why there are no shares."""
    single: tuple[str, ...] = ()
    """Axes with one value, which are left out."""


def axis_importance(
    scored: Sequence[ScoredTrial], axes: Sequence[str], seed: int = 0
) -> Importance:
    """Compute the axes' importance.

    A number stands by its place among the axis's values, so that each value has the same weight
    and neither the axis's scale nor its logarithm changes the result.

    Args:
      scored: trials, with their settings; those without a finite value are left out, and so are
        those that neither finished nor were stopped.
      axes: keys in full.
      seed: of the forest.
    """
    used = [one for one in scored if one.counted]
    values = [one.best for one in used if one.best is not None]
    labels = {axis: sort_labels(one.settings[axis] for one in used) for axis in axes}
    varied = [axis for axis in axes if len(labels[axis]) > 1]
    single = tuple(axis for axis in axes if axis not in varied)
    complete = all(one.settings[axis] in labels[axis] for one in used for axis in varied)
    reason = ""
    if len(used) < LEAST:
        reason = f"it needs {LEAST} finished trials with a finite value, and there are {len(used)}"
    elif not varied:
        reason = "no axis has two values among the finished trials"
    elif not complete:
        reason = "the sweeps do not have the same axes"
    elif min(values) == max(values):
        reason = "all trials have the same value"
    if reason:
        return Importance({}, len(used), reason, single)
    settings = [{axis: one.settings[axis] for axis in varied} for one in used]
    shares = _fanova(settings, values, {axis: labels[axis] for axis in varied}, seed)
    return Importance(shares, len(used), "", single)


def _fanova(
    settings: Sequence[dict[str, str]],
    values: Sequence[float],
    labels: dict[str, list[str]],
    seed: int,
) -> dict[str, float]:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    spaces: dict[str, Any] = {}
    for axis, known in labels.items():
        if are_numbers(known):  # half a place on either side: the outer values weigh as the others
            spaces[axis] = FloatDistribution(-0.5, len(known) - 0.5)
        else:
            spaces[axis] = CategoricalDistribution(known)
    places = {axis: {text: float(at) for at, text in enumerate(labels[axis])} for axis in labels}

    def params(setting: dict[str, str]) -> dict[str, Any]:
        return {
            axis: places[axis][text] if isinstance(spaces[axis], FloatDistribution) else text
            for axis, text in setting.items()
        }

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study()
        study.add_trials(
            [
                optuna.trial.create_trial(value=value, params=params(one), distributions=spaces)
                for one, value in zip(settings, values, strict=True)
            ]
        )
        evaluator = optuna.importance.FanovaImportanceEvaluator(max_depth=DEPTH, seed=seed)
        shares = evaluator.evaluate(study)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {axis: float(share) for axis, share in shares.items()}
