"""Least significant difference: from which on two trials differ by more than chance.

Fisher's least significant difference at 95% of two single trials is t(0.975, df) * sqrt(2) * s
(R. A. Fisher, "The Design of Experiments", 1935). The deviation s by chance is pooled over
replicates. Where no setting has two of them, it is what a sum of effects of each option leaves
unexplained, as in experiments without replication. Options that act together count as chance there,
so that s is rather too large.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.ranking import ScoredTrial
from sweeps.io.console import count_text, format_number
from sweeps.labels import label_ranges

MIN_FREEDOM = 3
"""Least degrees of freedom from which a deviation is estimated."""


@dataclass(frozen=True)
class Significance:
    """The difference from which on the best values of two trials differ by more than chance."""

    difference: float | None = None
    """In units of the metric, at 95%; None where too little is known."""
    source: str = ""
    """`replicates`, or `options` where no setting was trained twice."""
    trials: int = 0
    """Number of trials that it is computed from: finished or stopped, with a finite value."""


def chance_text(comparison: Comparison) -> str:
    """Return sentences on how much of a difference between trials may be chance.

    Args:
      comparison: the ranked trials.
    """
    found = least_significant_difference(comparison.trials, comparison.axes, comparison.replicate)
    trials = count_text(found.trials, "trial")
    if found.difference is None:
        return f"How far chance alone moves {comparison.metric} cannot be told from {trials}."
    limit = (
        f"Two single trials whose best {comparison.metric} differs by less than about "
        f"{format_number(found.difference, 3)} may differ by chance (95%)."
    )
    if found.source == "replicates":
        return f"{limit} This is from the deviation within replicates, {trials}."
    return (
        f"{limit} No setting was trained twice, so this is what a sum of effects of each option "
        f"leaves unexplained in {trials}: options that act together count as chance. Several seeds "
        "of a setting tell it better."
    )


def least_significant_difference(
    scored: Sequence[ScoredTrial], axes: Sequence[str], replicate: str | None
) -> Significance:
    """Estimate the least significant difference of two trials.

    Args:
      scored: trials with their settings; only finished and stopped ones with a finite value count.
      axes: keys in full.
      replicate: axis whose values repeat a setting; None: there is none.
    """
    used = [one for one in scored if one.counted]
    values = np.array([one.best for one in used], np.float64)
    others = [axis for axis in axes if axis != replicate]
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one, value in zip(used, values, strict=True):
        groups[one.sweep, *(one.settings[axis] for axis in others)].append(value)
    repeated = [np.array(group) for group in groups.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in repeated)
    if freedom >= MIN_FREEDOM:
        squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in repeated)
        return _significance(squares, freedom, "replicates", len(used))
    design = _design(used, others)
    freedom = len(used) - int(np.linalg.matrix_rank(design)) if len(used) else 0
    if freedom < MIN_FREEDOM:
        return Significance(trials=len(used))
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return _significance(float(np.sum((values - fitted) ** 2)), freedom, "options", len(used))


def _significance(squares: float, freedom: int, source: str, trials: int) -> Significance:
    from scipy.stats import t  # takes a third of a second to import

    quantile = float(t.ppf(0.975, freedom))
    return Significance(quantile * (2 * squares / freedom) ** 0.5, source, trials)


def _design(used: Sequence[ScoredTrial], axes: Sequence[str]) -> np.ndarray:
    """A column of ones, and one for each value, or range of values, of each axis.

    Returns:
      float64 [trials, columns].
    """
    columns = [np.ones(len(used))]
    for axis in axes:
        labels = [one.settings[axis] for one in used]
        for members in label_ranges(labels).values():
            columns.append(np.array([label in members for label in labels], np.float64))
    return np.stack(columns, axis=1)
