"""What a sweep is about to run, as plain values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweeps.packing import Packer
from sweeps.search import Dimension
from sweeps.space import Axis
from sweeps.store import Trial


@dataclass(frozen=True)
class Job:
    """Trials to run, and what the schedulers and searchers need to know of earlier ones."""

    directories: Sequence[Path]
    """Folders of known trials, with distinct names."""
    kept: int
    """Trials that are done already."""
    earlier: Sequence[Trial] = ()
    """Those that were run by this program before, done."""
    values: Mapping[Path, Mapping[str, float]] = field(default_factory=dict)
    """Of a population: each trial's numbers that may change."""
    axes: Mapping[str, Axis] = field(default_factory=dict)
    """Of a population: along what they change."""
    place: Callable[[Sequence[float]], Path | None] | None = None
    """Of an Optuna search: position of each dimension -> folder made for a trial; None: excluded,
    or known already."""
    dimensions: Sequence[Dimension] = ()
    """Of an Optuna search."""
    places: Sequence[Sequence[float]] = ()
    """Of an Optuna search: the positions of `earlier`."""
    packer: Packer | None = None
    """Who trains together; None: each trial is trained alone."""
    halvings: Mapping[str, int] = field(default_factory=dict)
    """Name of a trial -> how often its pack has shown to be too wide."""
    wanted: int = 0
    """Of an Optuna search: trials in the end."""

    @property
    def left(self) -> int:
        """Trials that are to be run."""
        return self.total - self.kept

    @property
    def total(self) -> int:
        """Trials in the end, those that are done already included."""
        return max(self.wanted, self.kept + len(self.directories))
