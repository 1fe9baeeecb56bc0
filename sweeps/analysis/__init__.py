"""Comparison of trials: ranking, replicates, importance, tables and data frames."""

from sweeps.analysis.comparison import Comparison, compare_sweeps, compare_trials
from sweeps.analysis.importance import Importance, axis_importance
from sweeps.analysis.ranking import ScoredTrial, rank
from sweeps.analysis.replicates import group_replicates, marginal_means

__all__ = [
    "Comparison",
    "Importance",
    "ScoredTrial",
    "axis_importance",
    "compare_sweeps",
    "compare_trials",
    "group_replicates",
    "marginal_means",
    "rank",
]
