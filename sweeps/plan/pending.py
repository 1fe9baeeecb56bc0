"""The trials that a sweep has left to run, as the driver hands them to Ray Tune."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweeps.plan.packs import Packer
from sweeps.search import Axis, Dimension
from sweeps.store import Trial


@dataclass(frozen=True, kw_only=True)
class Population:
    """Options that population based training changes, and their present values."""

    axes: Mapping[str, Axis]
    """Option in full -> the axis along which its value moves."""
    values: Mapping[Path, Mapping[str, float]]
    """Folder of a pending trial -> its present value of each of these options."""


@dataclass(frozen=True, kw_only=True)
class AdaptiveSearch:
    """A search that suggests trials as it learns from earlier ones."""

    dimensions: Sequence[Dimension]
    history_positions: Sequence[Sequence[float]]
    """Position of each trial of `PendingTrials.history`, one number for each dimension."""
    make_trial: Callable[[Sequence[float]], Path | None]
    """Position -> folder made for a new trial; None: it is excluded, or known already."""
    num_trials: int
    """Trials in the end, those that are done included."""
    firsts: Sequence[Sequence[float | None]] = ()
    """Positions to suggest first; None on a dimension: the search chooses."""
    warm_start: Sequence[tuple[Sequence[float], Trial]] = ()
    """Positions that earlier sweeps tried, each with the trial there."""


@dataclass(frozen=True, kw_only=True)
class PendingTrials:
    """Trials to run, and what schedulers and searchers learn from earlier ones."""

    directories: Sequence[Path]
    """Folders of the trials to run that are known, with distinct names."""
    num_done: int
    """Trials of the sweep that are done already."""
    history: Sequence[Trial] = ()
    """Done trials of the folder, which schedulers and searchers learn from."""
    population: Population | None = None
    """None: no trial changes while it runs."""
    search: AdaptiveSearch | None = None
    """None: all trials are known from the start."""
    packer: Packer | None = None
    """None: each trial is trained alone."""
    halvings: Mapping[str, int] = field(default_factory=dict)
    """Name of a trial -> how often the size of its pack is halved."""

    @property
    def num_left(self) -> int:
        """Trials that are to be run."""
        return self.num_total - self.num_done

    @property
    def num_total(self) -> int:
        """Trials in the end, those that are done included."""
        known = self.num_done + len(self.directories)
        return max(self.search.num_trials, known) if self.search else known
